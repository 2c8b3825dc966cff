/** Small controls shared by the views. Pressing one never takes the keyboard away from the image. */
import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { lacking, may, maySomewhere } from "../api/me";
import type { Verb } from "../api/types";
import { tellError } from "../state/notices";
import { type ActionId, ariaKey, shortKey, withKey } from "../tools/keytables";
import { offersHere } from "../tools/palette";
import { Icon, type IconName } from "./icons";

/** Keeps the focus where it was, so that Enter still submits after a click on a tool. */
const keepFocus = (event: MouseEvent): void => event.preventDefault();

/** The key of an action, as the reader has it. */
export function Key({ of }: { of: ActionId }) {
  const key = shortKey(of);
  return key ? <kbd>{key}</kbd> : null;
}

/** What cannot be done now says why, as its key does; it keeps the focus, and its tooltip is read. */
const pressAsKey = (action: ActionId): void =>
  offersHere
    .value?.()
    .find(({ id }) => id === action)
    ?.run();

interface ToolButtonProps {
  icon: IconName;
  name: string;
  action: ActionId;
  testid: string;
  pressed?: boolean;
  disabled?: boolean;
  onPress: () => void;
}

export function ToolButton({ icon, name, action, testid, pressed, disabled, onPress }: ToolButtonProps) {
  return (
    <button
      class="tool"
      title={withKey(name, action)}
      aria-label={name}
      aria-pressed={pressed}
      aria-keyshortcuts={ariaKey(action)}
      aria-disabled={disabled}
      data-testid={testid}
      onMouseDown={keepFocus}
      onClick={() => (disabled ? pressAsKey(action) : onPress())}
    >
      <Icon name={icon} />
      <span class="tool-text" aria-hidden="true">
        {name}
      </span>
      <Key of={action} />
    </button>
  );
}

interface PlainButtonProps {
  class: string;
  title: string;
  testid: string;
  role?: "radio";
  checked?: boolean;
  pressed?: boolean;
  disabled?: boolean;
  children: ComponentChildren;
  onPress: () => void;
}

/** A button with words; as `radio`, one of several of which one holds. */
export function PlainButton({ class: look, title, testid, role, checked, pressed, disabled, children, onPress }: PlainButtonProps) {
  return (
    // biome-ignore lint/a11y/useAriaPropsSupportedByRole: `checked` comes with the role "radio" only
    <button
      type="button"
      class={look}
      title={title}
      role={role}
      aria-checked={checked}
      aria-pressed={pressed}
      disabled={disabled}
      data-testid={testid}
      onMouseDown={keepFocus}
      onClick={onPress}
    >
      {children}
    </button>
  );
}

interface ToggleProps {
  value: Signal<boolean>;
  action?: ActionId;
  testid: string;
  children: ComponentChildren;
}

export function Toggle({ value, action, testid, children }: ToggleProps) {
  return (
    <label class="toggle" onMouseDown={keepFocus}>
      <input type="checkbox" checked={value.value} data-testid={testid} onChange={(event) => (value.value = event.currentTarget.checked)} />
      <span>{children}</span>
      {action && <Key of={action} />}
    </label>
  );
}

interface SliderProps {
  label: string;
  value: number;
  low: number;
  high: number;
  step: number;
  shown: string;
  testid: string;
  onInput: (value: number) => void;
}

export function Slider({ label, value, low, high, step, shown, testid, onInput }: SliderProps) {
  return (
    <label class="slider">
      <span>{label}</span>
      <input
        type="range"
        min={low}
        max={high}
        step={step}
        value={value}
        data-testid={testid}
        aria-valuetext={shown}
        onInput={(event) => onInput(Number(event.currentTarget.value))}
        onPointerUp={(event) => event.currentTarget.blur()}
      />
      <output>{shown}</output>
    </label>
  );
}

interface NumberFieldProps {
  value: number;
  low?: number;
  high?: number;
  name: string;
  testid: string;
  onValue: (value: number) => void;
}

/** Enter or leaving the field takes the number, Esc leaves it; the keyboard goes back to the image. */
export function NumberField({ value, low, high, name, testid, onValue }: NumberFieldProps) {
  return (
    <input
      type="number"
      class="number"
      step="any"
      min={low}
      max={high}
      value={Number(value.toPrecision(6))}
      aria-label={name}
      data-testid={testid}
      onChange={(event) => Number.isFinite(event.currentTarget.valueAsNumber) && onValue(event.currentTarget.valueAsNumber)}
      onKeyDown={(event) => {
        if (event.key === "Escape") event.currentTarget.value = String(value);
        if (event.key === "Enter" || event.key === "Escape") event.currentTarget.blur();
      }}
    />
  );
}

/** A bar from 0 to 1, drawn as SVG so that no style attribute is needed. */
export function Bar({ share, tone, label }: { share: number; tone?: string; label: string }) {
  const width = Math.max(0, Math.min(1, Number.isFinite(share) ? share : 0)) * 100;
  return (
    <svg class={`bar ${tone ?? ""}`} viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label={label}>
      <rect class="bar-back" width="100" height="6" />
      <rect class="bar-front" width={width} height="6" />
    </svg>
  );
}

export function Swatch({ colour }: { colour: string }) {
  return (
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      <rect x="0.500" y="0.500" width="9" height="9" rx="2" fill={colour} />
    </svg>
  );
}

/** A block of the panel that comes into view when it opens, and again when it grows. */
export function useInView(open: boolean, grown: string) {
  const block = useRef<HTMLElement>(null);
  useEffect(() => block.current?.scrollIntoView({ block: "nearest" }), [open, grown]);
  return block;
}

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

interface AllowedProps {
  verb: Verb;
  project?: string | null;
  /** Where no project is meant, a right in any of them will do. */
  somewhere?: boolean;
  children: ComponentChildren;
}

/** What somebody may not do is not there. */
export function Allowed({ verb, project = null, somewhere, children }: AllowedProps) {
  const allowed = somewhere && project === null ? maySomewhere(verb) : may(verb, project);
  return allowed ? (
    <span class="allowed" data-verb={verb}>
      {children}
    </span>
  ) : null;
}

/** Fields that somebody may only read say why. */
export function Fields({ verb, project, children }: { verb: Verb; project: string; children: ComponentChildren }) {
  const allowed = may(verb, project);
  return (
    <fieldset class="allowed" disabled={!allowed} data-verb={allowed ? verb : undefined}>
      {!allowed && <p class="hint">For reading: {lacking(verb)}.</p>}
      {children}
    </fieldset>
  );
}

/** A form that is being sent is not sent again: the second half of a double click means nothing. */
export function sentOnce(event: Event, send: () => Promise<unknown>): void {
  event.preventDefault();
  const form = event.currentTarget as HTMLFormElement;
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  void send()
    .catch(tellError)
    .finally(() => (form.ariaBusy = null));
}

export function Save({ changed, testid }: { changed: boolean; testid: string }) {
  return (
    <div class="row-end">
      <button type="submit" class="primary" disabled={!changed} data-testid={testid}>
        Save
      </button>
    </div>
  );
}
