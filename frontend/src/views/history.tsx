/** What happened to a case: who, when, what changed in each label, verdicts with comments and signatures; an earlier annotation can be restored. */
import { useState } from "preact/hooks";
import * as calls from "../api/calls";
import type { HistoryLine } from "../api/types";
import type { Comparison } from "../state/comparing";
import { Refused } from "./adjudication";
import { Allowed } from "./controls";
import { Dialog } from "./dialog";
import { clock } from "./format";

interface HistoryProps {
  found: Comparison;
  onReplay: (annotation: string) => void;
  onClose: () => void;
}

export function HistoryDialog({ found, onReplay, onClose }: HistoryProps) {
  const [asked, setAsked] = useState("");
  return (
    <Dialog title={`History of ${found.session.header.name}`} testid="history-dialog" wide onClose={onClose}>
      <table class="table table-small" data-testid="history">
        <thead>
          <tr>
            <th>When</th>
            <th>Who</th>
            <th>What</th>
            <th>What changed</th>
            <th>
              <span class="unseen">Replay or restore</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.history.value.map((line, n) => (
            <tr key={n}>
              <td>{clock(line.at)}</td>
              <td class="strong">
                <bdi>{line.who}</bdi>
              </td>
              <td>
                {line.what} {line.in_force && <span class="state state-accepted">in force</span>}
              </td>
              <td>
                {changed(line)}
                {line.lacking.length > 0 && <span class="hint"> {line.lacking.join(", ")} not annotated</span>}
                {line.comment && <span class="hint"> {line.comment}</span>}
              </td>
              <td class="number">
                {line.replayable && (
                  <button
                    class="small"
                    aria-label={`Replay: ${line.what} by ${line.who}`}
                    data-testid={`replay-${n}`}
                    onClick={() => onReplay(line.annotation_id)}
                  >
                    Replay
                  </button>
                )}
                {line.restorable && (
                  <Allowed verb="review" project={found.project.id}>
                    {asked === line.annotation_id ? (
                      <Restore found={found} line={line} onDone={() => setAsked("")} />
                    ) : (
                      <button
                        class="small"
                        aria-label={`Restore: ${line.what} by ${line.who}`}
                        data-testid={`restore-${n}`}
                        onClick={() => setAsked(line.annotation_id)}
                      >
                        Restore
                      </button>
                    )}
                  </Allowed>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <Refused found={found} />
      <div class="row-end">
        <button class="primary" autofocus onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}

/** "large +12 −3 voxels (+0.9 ml)". */
const changed = ({ changes }: HistoryLine): string =>
  changes.map(({ label, added, removed, ml }) => `${label} +${added} −${removed} voxels (${ml < 0 ? "−" : "+"}${Math.abs(ml).toPrecision(3)} ml)`).join("; ");

function Restore({ found, line, onDone }: { found: Comparison; line: HistoryLine; onDone: () => void }) {
  const send = (): void => {
    const { annotation_id: standing_id, readings, reviews } = found.looked;
    void found
      .act(
        () => calls.restore(found.project.id, line.annotation_id, { standing_id, readings, reviews }),
        `Restored the annotation of ${line.who}: it stands before the readings.`,
      )
      .then(onDone);
  };
  return (
    <span class="row-end row-flat">
      <span class="hint">Let it stand before everything else?</span>
      <button class="small primary" disabled={found.busy.value} data-testid="restore-confirm" onClick={send}>
        Restore it
      </button>
      <button class="small" autofocus onClick={onDone}>
        Keep what stands
      </button>
    </span>
  );
}
