/** Names of key presses ("Shift+E"), whatever the keyboard's script and layout and whatever an input method makes of them. */

/** What a Latin keyboard prints on a key, by its place. */
const BY_PLACE: Readonly<Record<string, string>> = {
  BracketLeft: "[",
  BracketRight: "]",
  Comma: ",",
  Period: ".",
  Minus: "-",
  Equal: "=",
  Slash: "/",
  Semicolon: ";",
  Quote: "'",
  Backquote: "`",
  Backslash: "\\",
};
/** What Shift prints there. */
const SHIFTED: Readonly<Record<string, string>> = { "/": "?", "=": "+", "-": "_", "[": "{", "]": "}", ",": "<", ".": ">" };
/** Signs that mean the same as another one, which shares their key. */
const TWINS: Readonly<Record<string, string>> = { "=": "+", _: "-", "<": ",", ">": ".", "{": "[", "}": "]" };
/** Names that stand for a character in the making or none at all, so that the key's place must tell. */
const NO_NAMES = ["Dead", "Unidentified"];

type Pressed = Pick<KeyboardEvent, "key" | "code" | "shiftKey" | "ctrlKey" | "metaKey" | "altKey"> & Partial<Pick<KeyboardEvent, "getModifierState">>;

/** What a press may be called, the most likely name first: what is printed where that is Latin, and what a Latin keyboard has at its place. */
export function chordsOf(event: Pressed): string[] {
  const { key, code, shiftKey } = event;
  const graph = event.getModifierState?.("AltGraph") ?? false; // reported as Ctrl + Alt by some systems, and only chooses a sign
  const held = `${!graph && (event.ctrlKey || event.metaKey) ? "Ctrl+" : ""}${!graph && event.altKey ? "Alt+" : ""}`;
  const shifted = `${held}${shiftKey ? "Shift+" : ""}`;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(code)?.[1];
  const digits = digit ? [shifted + digit] : [];
  if (key.length > 1 && !NO_NAMES.includes(key)) return [...digits, shifted + key];
  const latin = key.length === 1 && key > " " && key.charCodeAt(0) < 127;
  if (latin && /[a-z]/i.test(key)) return [shifted + key.toUpperCase()];
  if (key === " ") return [`${shifted}Space`];
  const printed = latin ? [held + key] : [];
  const twins = latin && TWINS[key] ? [held + TWINS[key]] : [];
  const inOrder = shiftKey && !/\d/.test(key) ? [...printed, ...digits] : [...digits, ...printed]; // "/" is Shift + 7 in places; labels stay on the row of digits
  return [...inOrder, ...twins, ...placed(event, held, shifted)];
}

function placed({ code, shiftKey }: Pressed, held: string, shifted: string): string[] {
  const letter = /^Key([A-Z])$/.exec(code)?.[1];
  if (letter) return [shifted + letter];
  const sign = BY_PLACE[code];
  if (!sign) return [];
  const above = shiftKey ? SHIFTED[sign] : undefined;
  return [...(above ? [held + above] : []), held + (TWINS[sign] ?? sign)];
}

const SIGNS: Readonly<Record<string, string>> = {
  ArrowUp: "↑",
  ArrowDown: "↓",
  ArrowLeft: "←",
  ArrowRight: "→",
  PageUp: "PgUp",
  PageDown: "PgDn",
  Delete: "Del",
  Escape: "Esc",
  "1…9": "1 … 9",
};
const partsOf = (chord: string): string[] => chord.split(/\+(?=.)/).map((part) => SIGNS[part] ?? part);

/** "Shift + E", "PgDn". */
export const writtenOut = (chord: string): string => partsOf(chord).join(" + ");

/** "⇧E", for the corner of a button. */
export const written = (chord: string): string => partsOf(chord).join("").replace("Alt", "Alt+").replace("Shift", "⇧").replace("Ctrl", "⌃");

/** As `aria-keyshortcuts` wants it. */
export const forAria = (chord: string): string => chord.replace("Ctrl", "Control");

export const isModifier = (key: string): boolean => ["Shift", "Control", "Alt", "Meta", "AltGraph", "CapsLock"].includes(key);

/** Whether an input method is still composing a word: its Enter and Esc belong to it. */
export function isComposing(event: KeyboardEvent): boolean {
  return event.isComposing || event.key === "Process" || event.keyCode === 229;
}
