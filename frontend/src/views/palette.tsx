/** Ctrl + K: find an action by words, see its key, and do it. */
import { useEffect, useRef, useState } from "preact/hooks";
import { paletteShown } from "../state/display";
import { tell } from "../state/notices";
import { isComposing } from "../tools/keynames";
import { attempt } from "../tools/keytable";
import { PAGE_KEYS, type PageScene } from "../tools/pagekeys";
import { found, type Offer, offersHere, offersOf } from "../tools/palette";
import { Dialog } from "./dialog";

const pageOffers = (): Offer[] => offersOf<PageScene>(PAGE_KEYS, {}, { why: () => "", press: attempt }).filter(({ id }) => id !== "palette");

export function Palette() {
  return paletteShown.value ? <Open /> : null;
}

function Open() {
  const [offers] = useState(() => [...(offersHere.value?.() ?? []), ...pageOffers()]);
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const shown = found(offers, words);
  const chosen = Math.min(at, shown.length - 1);
  useEffect(() => list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" }), [chosen, words]);
  const close = (): void => {
    paletteShown.value = false;
  };
  const take = (offer: Offer | undefined): void => {
    if (!offer) return;
    if (offer.why) return tell("info", offer.why);
    close();
    setTimeout(offer.run); // once the dialog is closed, so that the action finds the page as a key does
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isComposing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
    if (step) setAt(Math.max(0, Math.min(shown.length - 1, chosen + step)));
    else if (event.key === "Enter" && !event.repeat) take(shown[chosen]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title="Find an action" testid="palette" onClose={close}>
      <input
        type="text"
        class="palette-words"
        role="combobox"
        aria-label="Words of an action"
        aria-expanded="true"
        aria-controls="palette-list"
        aria-activedescendant={shown[chosen] ? `palette-${shown[chosen].id}` : undefined}
        placeholder="Words, such as “brush” or “next slice”"
        data-testid="palette-words"
        autofocus
        value={words}
        onInput={(event) => {
          setWords(event.currentTarget.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <div ref={list} id="palette-list" class="palette-list" role="listbox" aria-label="Actions">
        {shown.map((offer, n) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above it has the keys of the list
          <div
            key={offer.id}
            id={`palette-${offer.id}`}
            role="option"
            tabIndex={-1}
            aria-selected={n === chosen}
            aria-disabled={offer.why !== ""}
            data-testid={`offer-${offer.id}`}
            onMouseMove={({ movementX: x, movementY: y }) => (x || y) && setAt(n)} // one that only lies there chooses nothing when the list changes below it
            onClick={() => take(offer)}
          >
            <span class="grow">
              {offer.words}
              {offer.why && <span class="palette-why">{offer.why}</span>}
            </span>
            <span class="faint">{offer.group}</span>
            {offer.key && <kbd>{offer.key}</kbd>}
          </div>
        ))}
      </div>
      {shown.length === 0 && <p class="hint">No action has these words.</p>}
    </Dialog>
  );
}
