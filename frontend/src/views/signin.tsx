/** Signing in over whatever is on the screen, and the view of a one-time link. */
import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import { followLink, leaveToProvider, readLink, readWays, returnFromProvider, signIn } from "../api/calls";
import { me } from "../api/me";
import { enter, signInWanted } from "../api/signingin";
import type { LinkSecret, OneTimeLink, Ways } from "../api/types";
import { lineOf } from "../state/question";
import { Dialog } from "./dialog";
import { clock } from "./format";
import { Field, Send, useNewPassword, useSending } from "./forms";

const PLACE = "medloop.place";

/** What ways there are to sign in; a name and a password until the server has said. */
function useWays(): Ways {
  const [ways, setWays] = useState<Ways>({ accounts: true, passwords: true, provider: null });
  useEffect(() => void readWays().then(setWays, () => undefined), []);
  return ways;
}

/** A browser that refuses storage signs in as well; it only comes back to the beginning. */
function keepPlace(place: string): void {
  try {
    sessionStorage.setItem(PLACE, place);
  } catch {
    // Where one was is no reason to stay out.
  }
}

function keptPlace(): string {
  try {
    return sessionStorage.getItem(PLACE) ?? "";
  } catch {
    return "";
  }
}

/** Goes to the provider; what is on the screen is come back to. */
function ProviderButton({ name, link }: { name: string; link?: LinkSecret }) {
  const sending = useSending();
  const go = async (): Promise<void> => {
    const { address } = await leaveToProvider(link);
    keepPlace(link ? "" : location.hash);
    location.assign(address);
  };
  return (
    <form class="fields" onSubmit={sending.submit(go)}>
      <Send sending={sending} testid="sign-in-provider">
        {`Sign in with ${name}`}
      </Send>
    </form>
  );
}

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
  const { passwords, provider } = useWays();
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
      {provider && <ProviderButton name={provider} />}
      {passwords && (
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
      )}
      <p class="hint">No account, a disabled one{passwords && " or a lost password"}: whoever manages people here can send a link.</p>
    </Dialog>
  );
}

/** `/links/USE#SECRET`; null elsewhere. The part behind # never leaves the browser by itself. */
export function linkHere({ pathname, hash }: Pick<Location, "pathname" | "hash">): LinkSecret | null {
  const use = /^\/links\/(invitation|reset)\/?$/.exec(pathname)?.[1] as LinkSecret["use"] | undefined;
  return use ? { use, secret: hash.slice(1) } : null;
}

/** A view of its own, for who is not signed in: what it shows, or in words why it does not work. */
function Alone({ title, refused, testid, children }: { title: string; refused: string; testid: string; children?: ComponentChildren }) {
  useEffect(() => {
    document.title = "medloop";
  }, []);
  return (
    <div class="view">
      <main class="centre" data-testid={testid}>
        <div class="card card-narrow">
          {children}
          <div role="alert">
            {refused && (
              <>
                <h1>{title}</h1>
                <p data-testid={`${testid}-refused`}>{refused}</p>
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

export function LinkView({ use, secret }: LinkSecret) {
  const [link, setLink] = useState<OneTimeLink | null>(null);
  const [refused, setRefused] = useState("");
  useEffect(() => {
    readLink(use, secret)
      .then(setLink)
      .catch((error: unknown) => setRefused(lineOf(error)));
  }, []);
  return (
    <Alone title="This link does not work" refused={refused} testid="link">
      {link && <ChoosePassword link={link} secret={secret} />}
    </Alone>
  );
}

/** `/oidc?…`, where the provider sends browsers back to; null elsewhere. */
export function replyHere({ pathname, search }: Pick<Location, "pathname" | "search">): URLSearchParams | null {
  return pathname === "/oidc" ? new URLSearchParams(search) : null;
}

export function ProviderReply({ reply }: { reply: URLSearchParams }) {
  const [refused, setRefused] = useState("");
  useEffect(() => {
    history.replaceState(null, "", "/oidc"); // the code leaves the history
    const state = reply.get("state");
    if (state === null)
      location.replace("/"); // signed out at the provider, too
    else
      returnFromProvider({ code: reply.get("code") ?? "", state, iss: reply.get("iss") })
        .then(() => location.replace(`/${keptPlace()}`))
        .catch((error: unknown) => setRefused(lineOf(error)));
  }, []);
  return <Alone title="You are not signed in" refused={refused} testid="provider-reply" />;
}

function ChoosePassword({ link: { name, use, expires_at }, secret }: { link: OneTimeLink; secret: string }) {
  const { fields, checked } = useNewPassword();
  const sending = useSending();
  const { passwords, provider } = useWays();
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
        Choose {passwords ? "the password that you will sign in with" : "how you will sign in"}. This link works once, until {clock(expires_at)}.
        {use === "reset" && " Your sessions elsewhere end."}
      </p>
      {provider && <ProviderButton name={provider} link={{ use, secret }} />}
      {passwords && (
        <form class="fields" onSubmit={sending.submit(send)}>
          <input type="text" hidden autocomplete="username" value={name} readOnly />
          {fields}
          <Send sending={sending} testid="choose">
            Set the password and sign in
          </Send>
        </form>
      )}
    </>
  );
}
