/** Signing in over whatever is on the screen, and the view of a one-time link. */
import { useEffect, useState } from "preact/hooks";
import { followLink, readLink, signIn } from "../api/calls";
import { me } from "../api/me";
import { enter, signInWanted } from "../api/signingin";
import type { OneTimeLink } from "../api/types";
import { lineOf } from "../state/question";
import { Dialog } from "./dialog";
import { clock } from "./format";
import { Field, Send, useNewPassword, useSending } from "./forms";

/** Another person must find nothing of the one before: the page begins anew. */
function begin(fresh: Parameters<typeof enter>[0]): void {
  if (!enter(fresh)) location.reload();
}

export function SignIn() {
  return signInWanted.value ? <SignInDialog /> : null;
}

function SignInDialog() {
  const before = me.value?.accounts ? me.value.name : "";
  const [name, setName] = useState(before);
  const [password, setPassword] = useState("");
  const sending = useSending();
  const send = async (): Promise<void> => {
    setPassword("");
    begin(await signIn(name, password));
  };
  return (
    <Dialog title="Sign in" testid="sign-in-dialog" onClose={null}>
      {before && (
        <p data-testid="session-ended">
          The session of <bdi>{before}</bdi> has ended. Everything drawn is kept and saved once <bdi>{before}</bdi> signs in again; it stays in this browser if
          somebody else does.
        </p>
      )}
      <form class="fields" onSubmit={sending.submit(send)}>
        <Field label="Name" autocomplete="username" value={name} testid="sign-in-name" autofocus={!before} onInput={setName} />
        <Field
          label="Password"
          type="password"
          autocomplete="current-password"
          value={password}
          testid="sign-in-password"
          autofocus={before !== ""}
          onInput={setPassword}
        />
        <Send sending={sending} testid="sign-in">
          Sign in
        </Send>
      </form>
      <p class="hint">No account, a disabled one or a lost password: whoever manages people here can send a link.</p>
    </Dialog>
  );
}

/** `/links/USE#SECRET`; null elsewhere. The part behind # never leaves the browser by itself. */
export function linkHere({ pathname, hash }: Pick<Location, "pathname" | "hash">): { use: string; secret: string } | null {
  const use = /^\/links\/(invitation|reset)\/?$/.exec(pathname)?.[1];
  return use ? { use, secret: hash.slice(1) } : null;
}

export function LinkView({ use, secret }: { use: string; secret: string }) {
  const [link, setLink] = useState<OneTimeLink | null>(null);
  const [refused, setRefused] = useState("");
  useEffect(() => {
    document.title = "medloop";
    readLink(use, secret)
      .then(setLink)
      .catch((error: unknown) => setRefused(lineOf(error)));
  }, []);
  return (
    <div class="view">
      <main class="centre" data-testid="link">
        <div class="card card-narrow">
          {link && <ChoosePassword link={link} secret={secret} />}
          <div role="alert">
            {refused && (
              <>
                <h1>This link does not work</h1>
                <p data-testid="link-refused">{refused}</p>
              </>
            )}
          </div>
          {refused && (
            <a class="button" href="/">
              Sign in
            </a>
          )}
        </div>
      </main>
    </div>
  );
}

function ChoosePassword({ link: { name, use, expires_at }, secret }: { link: OneTimeLink; secret: string }) {
  const { fields, checked } = useNewPassword();
  const sending = useSending();
  const send = async (): Promise<void> => {
    await followLink(use, secret, await checked());
    location.replace("/"); // the address with the used secret leaves the history, too
  };
  return (
    <>
      <h1>
        {use === "invitation" ? "Welcome" : "A new password"}, <bdi>{name}</bdi>
      </h1>
      <p>
        Choose the password that you will sign in with. This link works once, until {clock(expires_at)}.{use === "reset" && " Your sessions elsewhere end."}
      </p>
      <form class="fields" onSubmit={sending.submit(send)}>
        <input type="text" hidden autocomplete="username" value={name} readOnly />
        {fields}
        <Send sending={sending} testid="choose">
          Set the password and sign in
        </Send>
      </form>
    </>
  );
}
