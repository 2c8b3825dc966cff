/** The terms of each annotator: what a minute costs, experience, and the most that routing gives them; and what they cost so far. */
import { useEffect, useState } from "preact/hooks";
import { readAnnotators, setTerms, type Terms } from "../api/calls";
import { hasAccounts } from "../api/me";
import type { AnnotatorLine, Expertise } from "../api/types";
import { numberOf } from "../state/configuring";
import { tell, tellError } from "../state/notices";
import { linkTo } from "../state/router";
import { Save, sentOnce } from "./controls";
import { money } from "./format";

export const EXPERTISE: readonly Expertise[] = ["novice", "expert", "consultant"];

/** A term that is a number: its name for the server, its head, how it is said when it has changed. */
export interface NumberTerm {
  name: "cost_per_minute" | "hours_per_week" | "cases_per_week";
  head: string;
  unit: string;
  testid: string;
}

export const NUMBER_TERMS: readonly NumberTerm[] = [
  { name: "cost_per_minute", head: "Cost per minute", unit: "per minute", testid: "rate" },
  { name: "hours_per_week", head: "Hours per week", unit: "hours per week", testid: "hours" },
  { name: "cases_per_week", head: "Cases per week", unit: "cases per week", testid: "cases" },
];

/** What is left empty is no limit. */
export const termOf = ({ name }: NumberTerm, text: string): number | string => (text.trim() === "" && name !== "cost_per_minute" ? 0 : numberOf(text));

export function Rates({ project }: { project: string }) {
  const [people, setPeople] = useState<AnnotatorLine[]>([]);
  const [typed, setTyped] = useState<ReadonlyMap<string, string>>(new Map());
  useEffect(() => void readAnnotators(project).then(setPeople).catch(tellError), [project]);
  if (people.length === 0) return null;
  const elsewhere = hasAccounts();
  const keyOf = (annotator: string, term: string): string => `${term} ${annotator}`;
  const type = (annotator: string, term: string, text: string): void => setTyped(new Map(typed).set(keyOf(annotator, term), text));
  const textOf = (line: AnnotatorLine, term: NumberTerm["name"] | "expertise"): string => typed.get(keyOf(line.annotator, term)) ?? String(line[term] ?? "");
  const changed = people.flatMap((line) => {
    const numbers = NUMBER_TERMS.filter((term) => termOf(term, textOf(line, term.name)) !== (line[term.name] ?? 0));
    const expertise = textOf(line, "expertise") as Expertise;
    return numbers.length > 0 || expertise !== line.expertise ? [{ line, numbers, expertise }] : [];
  });
  const save = async (): Promise<void> => {
    for (const { line, numbers, expertise } of changed) {
      const { annotator } = line;
      const terms: Terms = Object.fromEntries(numbers.map((term) => [term.name, termOf(term, textOf(line, term.name))]));
      if (expertise !== line.expertise) terms.expertise = expertise;
      setPeople(await setTerms(project, annotator, terms));
      for (const term of numbers) tell("info", `${annotator}: ${line[term.name] ?? "no limit"} → ${terms[term.name] || "no limit"} ${term.unit}`);
      if (terms.expertise) tell("info", `${annotator}: ${line.expertise} → ${expertise}`);
    }
    setTyped(new Map());
  };
  return (
    <form class="panel" onSubmit={(event) => sentOnce(event, save)}>
      <h2>Annotators</h2>
      <div class="scrolls">
        <table class="table table-small" data-testid="annotators">
          <thead>
            <tr>
              <th>Who</th>
              <th class="number">Annotations</th>
              <th class="number">Minutes</th>
              <th>Expertise</th>
              {NUMBER_TERMS.map(({ name, head }) => (
                <th key={name} class="number">
                  {head}
                </th>
              ))}
              <th class="number">Cost</th>
            </tr>
          </thead>
          <tbody>
            {people.map((line) => (
              <tr key={line.annotator}>
                <td class="strong">
                  <bdi>{line.annotator}</bdi>
                </td>
                <td class="number">{line.annotations}</td>
                <td class="number">{line.minutes.toFixed(1)}</td>
                <td>
                  {elsewhere ? (
                    line.expertise
                  ) : (
                    <select
                      value={textOf(line, "expertise")}
                      aria-label={`Expertise of ${line.annotator}`}
                      data-testid={`expertise-${line.annotator}`}
                      onChange={(event) => type(line.annotator, "expertise", event.currentTarget.value)}
                    >
                      {EXPERTISE.map((one) => (
                        <option key={one}>{one}</option>
                      ))}
                    </select>
                  )}
                </td>
                {NUMBER_TERMS.map(({ name, head, testid }) => (
                  <td key={name} class="number">
                    {elsewhere ? (
                      (line[name] ?? "–")
                    ) : (
                      <input
                        type="text"
                        inputMode="decimal"
                        size={6}
                        placeholder="no limit"
                        aria-label={`${head} of ${line.annotator}`}
                        value={textOf(line, name)}
                        data-testid={`${testid}-${line.annotator}`}
                        onInput={(event) => type(line.annotator, name, event.currentTarget.value)}
                      />
                    )}
                  </td>
                ))}
                <td class="number">{money(line.cost)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="hint">
        Cost is in a unit of yours, above 0; it counts from now on, the first one for earlier minutes, too. Where a rate is set, progress, the report and the
        advice on stopping count cost. With the setting “routing” nobody is given more than these hours and cases within seven days; empty is no limit.
      </p>
      {elsewhere ? (
        <a href={linkTo.people(project)} data-testid="set-costs">
          Set them among the people
        </a>
      ) : (
        <Save changed={changed.length > 0} testid="save-rates" />
      )}
    </form>
  );
}
