/** One's own account: signing out, the password, tokens for programs. */
import { useEffect, useState } from "preact/hooks";
import { changePassword, listTokens, makeToken, revokeToken, signOut } from "../api/calls";
import { me } from "../api/me";
import { enter } from "../api/signingin";
import type { NewToken, Token, TokenBody } from "../api/types";
import { leftOutboxes } from "../edits/outbox";
import { tell, tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { clock } from "./format";
import { Field, Send, ShownOnce, useNewPassword, useSending } from "./forms";
import { Header } from "./header";

const SCOPES: Record<NonNullable<TokenBody["scope"]>, string> = { read: "look at everything", annotate: "annotate", all: "all that I may do" };

async function leave(): Promise<void> {
  await leftOutboxes(); // what is being saved goes out in the name of who drew it
  const { address } = await signOut();
  location.replace(address ?? "/");
}

export function AccountView() {
  useEffect(() => {
    document.title = "Account – medloop";
  }, []);
  return (
    <div class="view">
      <Header />
      <main class="page" data-testid="account">
        <div class="row">
          <h1 class="grow">
            <bdi>{me.value?.name}</bdi>
          </h1>
          <button data-testid="sign-out" onClick={() => void leave().catch(tellError)}>
            Sign out
          </button>
        </div>
        <Roles />
        <Password />
        <Tokens />
      </main>
    </div>
  );
}

function Roles() {
  const { roles, projects } = me.value!;
  const nameOf = (id: string): string => (id === "" ? "all projects" : (projects.find(({ project_id }) => project_id === id)?.name ?? id));
  return (
    <p class="facts">
      {Object.entries(roles).map(([id, role]) => (
        <span key={id}>
          {role} of <bdi>{nameOf(id)}</bdi>
        </span>
      ))}
    </p>
  );
}

function Password() {
  const [old, setOld] = useState("");
  const { fields, checked, clear } = useNewPassword();
  const sending = useSending();
  const send = async (): Promise<void> => {
    enter(await changePassword(old, await checked()));
    setOld("");
    clear();
    tell("info", "The password is changed; sessions elsewhere have ended");
  };
  return (
    <form class="panel fields" onSubmit={sending.submit(send)}>
      <h2>Password</h2>
      <input type="text" hidden autocomplete="username" value={me.value!.name} readOnly />
      <Field label="Present password" type="password" autocomplete="current-password" value={old} testid="old-password" onInput={setOld} />
      {fields}
      <Send sending={sending} testid="change-password">
        Change the password
      </Send>
    </form>
  );
}

function Tokens() {
  const [tokens, setTokens] = useState<Token[]>([]);
  const [made, setMade] = useState<NewToken | null>(null);
  const [name, setName] = useState("");
  const [scope, setScope] = useState<NonNullable<TokenBody["scope"]>>("read");
  const [days, setDays] = useState("90");
  const sending = useSending();
  const read = (): Promise<void> => listTokens().then(setTokens);
  useEffect(() => void read().catch(tellError), []);
  const send = async (): Promise<void> => {
    setMade(await makeToken({ name, scope, days: Number(days) }));
    setName("");
    await read();
  };
  return (
    <section class="panel">
      <h2>Tokens for programs</h2>
      {tokens.length > 0 && (
        <table class="table table-small" data-testid="tokens">
          <thead>
            <tr>
              <th>Token</th>
              <th>Lets a program</th>
              <th>Until</th>
              <th>
                <span class="unseen">Revoke</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {tokens.map((token) => (
              <tr key={token.id}>
                <td class="strong">
                  <bdi>{token.name}</bdi>
                </td>
                <td>{SCOPES[token.scope]}</td>
                <td>{clock(token.expires_at)}</td>
                <td class="number">
                  <button
                    class="small"
                    aria-label={`Revoke ${token.name}`}
                    data-testid={`revoke-${token.id}`}
                    onClick={() => void revokeToken(token.id).then(setTokens).catch(tellError)}
                  >
                    Revoke
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <form class="fields" onSubmit={sending.submit(send)}>
        <Field label="Name of a new token" autocomplete="off" value={name} testid="token-name" onInput={setName} />
        <label class="field">
          Lets a program
          <select value={scope} data-testid="token-scope" onChange={(event) => setScope(event.currentTarget.value as typeof scope)}>
            {Object.entries(SCOPES).map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <Field label="Days until it expires" autocomplete="off" value={days} testid="token-days" onInput={setDays} />
        <Send sending={sending} testid="make-token">
          Make a token
        </Send>
      </form>
      {made && (
        <ShownOnce
          title="The new token"
          secret={made.token}
          about={`Send it as “Authorization: Bearer …”. It is valid until ${clock(made.expires_at)} and not shown again.`}
          onClose={() => setMade(null)}
        />
      )}
      <p class="hint">
        <a href={linkTo.projects()}>Back to the projects</a>
      </p>
    </section>
  );
}
