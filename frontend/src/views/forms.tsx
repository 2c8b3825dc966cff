/** Forms about accounts: fields with their labels, and sending once at a time with what went wrong in words. */
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/errors";
import { lineOf } from "../state/question";
import { Dialog } from "./dialog";

export interface Sending {
  busy: boolean;
  /** What went wrong, in one line. */
  refused: string;
  /** Seconds until the next try is let through. */
  wait: number;
  refuse: (line: string) => void;
  submit: (work: () => Promise<unknown>) => (event: Event) => void;
}

export function useSending(): Sending {
  const [busy, setBusy] = useState(false);
  const [refused, refuse] = useState("");
  const [wait, setWait] = useState(0);
  useEffect(() => {
    if (wait <= 0) return undefined;
    const timer = window.setTimeout(() => setWait(wait - 1), 1000);
    return () => window.clearTimeout(timer);
  }, [wait]);
  const submit = (work: () => Promise<unknown>) => (event: Event) => {
    event.preventDefault();
    if (busy || wait > 0) return;
    setBusy(true);
    refuse("");
    work()
      .catch((error: unknown) => {
        refuse(lineOf(error));
        if (error instanceof ApiError) setWait(error.retryAfter);
      })
      .finally(() => setBusy(false));
  };
  return { busy, refused, wait, refuse, submit };
}

interface FieldProps {
  label: string;
  value: string;
  testid: string;
  type?: "text" | "password";
  autocomplete: string;
  autofocus?: boolean;
  help?: string;
  onInput: (value: string) => void;
}

export function Field({ label, value, testid, type = "text", autocomplete, autofocus, help, onInput }: FieldProps) {
  return (
    <label class="field">
      {label}
      <input
        type={type}
        value={value}
        required
        dir="auto"
        autocomplete={autocomplete}
        autofocus={autofocus}
        data-testid={testid}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
      {help && <span class="hint">{help}</span>}
    </label>
  );
}

/** What was refused, read out at once, and the button that sends. */
export function Send({ sending, testid, children }: { sending: Sending; testid: string; children: string }) {
  const { busy, refused, wait } = sending;
  return (
    <>
      <div role="alert">
        {refused && (
          <p class="banner" data-testid={`${testid}-refused`}>
            {refused}
          </p>
        )}
      </div>
      <div class="row-end">
        <button type="submit" class="primary" disabled={busy || wait > 0} data-testid={testid}>
          {wait > 0 ? `Wait ${wait} s` : children}
        </button>
      </div>
    </>
  );
}

/** A new password, typed twice. */
export function useNewPassword() {
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const fields = (
    <>
      <Field
        label="New password"
        type="password"
        autocomplete="new-password"
        value={password}
        testid="new-password"
        help="10 characters or more; a few random words are easy to keep."
        onInput={setPassword}
      />
      <Field label="New password again" type="password" autocomplete="new-password" value={again} testid="new-password-again" onInput={setAgain} />
    </>
  );
  const checked = async (): Promise<string> => {
    if (password !== again) throw new ApiError(422, "input", "The two new passwords differ", "type the same one twice");
    return password;
  };
  const clear = (): void => {
    setPassword("");
    setAgain("");
  };
  return { fields, checked, clear };
}

/** A secret at the only moment it is shown. */
export function ShownOnce({ title, secret, about, onClose }: { title: string; secret: string; about: string; onClose: () => void }) {
  const [copied, setCopied] = useState("");
  const copy = (): void => {
    navigator.clipboard.writeText(secret).then(
      () => setCopied("Copied"),
      () => setCopied("This browser does not let the page copy: select the text and copy it"),
    );
  };
  return (
    <Dialog title={title} testid="shown-once" onClose={onClose}>
      <p>{about}</p>
      <input type="text" class="secret" readOnly value={secret} aria-label={title} data-testid="secret" onFocus={(event) => event.currentTarget.select()} />
      <div class="row-end">
        <span class="hint grow" role="status">
          {copied}
        </span>
        <button data-testid="copy" autofocus onClick={copy}>
          Copy
        </button>
        <button class="primary" data-testid="shown-once-close" onClick={onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}
