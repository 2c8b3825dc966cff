/** Below the image: through a film by slider, buttons and keys, and to the frames or slices that are named. */
import type { NamedSlice } from "../api/types";
import { frameText } from "../geometry/frames";
import { goToName, isDrawn, isShown, placeName } from "../state/named";
import type { CaseSession } from "../state/session";
import { stepFrame } from "../tools/keyactions";
import { type ActionId, ariaKey, withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Icon, type IconName } from "./icons";

export function FrameBar({ session }: { session: CaseSession }) {
  const named = session.named.value;
  if (!session.isFilm && named.length === 0) return null;
  return (
    <ButtonRow class="frame-bar" label={session.isFilm ? "Frames over time" : "Named slices"} testid="frame-bar">
      {session.isFilm && <Through session={session} />}
      {named.length > 0 && <Names session={session} named={named} />}
    </ButtonRow>
  );
}

function Through({ session }: { session: CaseSession }) {
  const { playing } = session.film;
  const { frame_seconds, shape } = session.header;
  const here = session.crosshair.value[2];
  const text = frameText(frame_seconds, shape[2], here);
  const show = (frame: number): void => {
    session.film.stop();
    session.moveSlice(0, frame - session.crosshair.value[2]);
  };
  return (
    <>
      <Press icon="previous" name="Previous frame" action="slice-back" testid="frame-back" onPress={() => stepFrame(session, -1)} />
      <Press
        icon={playing.value ? "pause" : "play"}
        name={playing.value ? "Pause" : "Play"}
        action="play"
        testid="frame-play"
        pressed={playing.value}
        onPress={() => session.film.toggle()}
      />
      <Press icon="following" name="Next frame" action="slice-next" testid="frame-next" onPress={() => stepFrame(session, 1)} />
      <input
        type="range"
        min={0}
        max={shape[2] - 1}
        step={1}
        value={here}
        aria-label="Frame"
        aria-valuetext={text}
        data-testid="frame-slider"
        onInput={(event) => show(Number(event.currentTarget.value))}
        onPointerUp={(event) => event.currentTarget.blur()}
      />
      <output data-testid="frame-text">{text}</output>
    </>
  );
}

/** A chip per name with what is done of it; the one gone to last can be moved to what is on the screen. */
function Names({ session, named }: { session: CaseSession; named: readonly NamedSlice[] }) {
  const chosen = named[session.chosenName.value];
  return (
    <>
      <div class="names">
        {named.map((one, n) => (
          <Name key={one.name} session={session} one={one} n={n} />
        ))}
      </div>
      {chosen && !session.looksOnly && !isShown(session, chosen) && (
        <button
          type="button"
          class="small"
          data-verb="annotate"
          title={withKey(`“${chosen.name}” stands for the ${session.sliceWord} on the screen`, "name-here")}
          data-testid="name-here"
          onMouseDown={(event) => event.preventDefault()}
          onClick={() => void placeName(session)}
        >
          {chosen.name} is here
        </button>
      )}
    </>
  );
}

function Name({ session, one, n }: { session: CaseSession; one: NamedSlice; n: number }) {
  const drawn = isDrawn(session, one);
  const what = `${session.sliceWord} ${one.index + 1}, ${drawn ? "drawn on" : "open"}${one.placed ? ", moved" : ""}`;
  return (
    <button
      type="button"
      class="chip name"
      title={withKey(`${one.name}: ${what}`, "name-next")}
      aria-label={`${one.name}: ${what}`}
      aria-current={isShown(session, one)}
      aria-pressed={n === session.chosenName.value}
      data-done={drawn}
      data-testid={`name-${n}`}
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => goToName(session, n)}
    >
      {drawn && <Icon name="check" />}
      {one.name} <span class="faint">{one.index + 1}</span>
    </button>
  );
}

interface PressProps {
  icon: IconName;
  name: string;
  action: ActionId;
  testid: string;
  pressed?: boolean;
  onPress: () => void;
}

function Press({ icon, name, action, testid, pressed, onPress }: PressProps) {
  return (
    <button
      type="button"
      class="icon-button"
      title={withKey(name, action)}
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={ariaKey(action)}
      data-testid={testid}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onPress}
    >
      <Icon name={icon} />
    </button>
  );
}
