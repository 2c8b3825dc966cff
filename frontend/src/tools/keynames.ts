/** Which key was meant, whatever the keyboard's script and whatever an input method makes of it. */

const BY_PLACE: Readonly<Record<string, string>> = { BracketLeft: "[", BracketRight: "]", Comma: ",", Period: ".", Minus: "-", Equal: "=", Slash: "/" };
/** Names that stand for a character in the making or none at all, so that the key's place must tell. */
const NO_NAMES = ["Dead", "Unidentified"];

type Pressed = Pick<KeyboardEvent, "key" | "code" | "shiftKey">;

/** A named key ("Enter"), or a character in lower case; where the layout writes another script, the Latin one at its place. */
export function keyOf({ key, code, shiftKey }: Pressed): string {
  if (key.length > 1 && !NO_NAMES.includes(key)) return key;
  if (key.length === 1 && key.charCodeAt(0) < 128) return key.toLowerCase();
  const letter = /^Key([A-Z])$/.exec(code)?.[1]?.toLowerCase() ?? BY_PLACE[code];
  if (letter === "/" && shiftKey) return "?";
  return letter ?? key.toLowerCase();
}

/** Keys that only move the view: holding them goes on. Every other key answers once. */
const MOVES = new Set(["ArrowUp", "ArrowDown", "PageUp", "PageDown", "Home", "End", "+", "=", "-", "_", "[", "]", "{", "}"]);

export const moves = (key: string): boolean => MOVES.has(key);

export const isModifier = (key: string): boolean => ["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"].includes(key);

/** Whether an input method is still composing a word: its Enter and Esc belong to it. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.key === "Process" || event.keyCode === 229;
}
