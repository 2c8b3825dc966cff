/** The proposal in the panel: how far the draft is from it, and taking, rejecting or comparing it. */
import { useEffect, useState } from "preact/hooks";
import { type Changes, changesBetween } from "../edits/changes";
import * as display from "../state/display";
import { changeText } from "../state/previewing";
import { compareProposal, rejectProposal, takeProposal } from "../state/proposals";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Key, PlainButton } from "./controls";

/** After the last stroke, so that drawing never waits for it. */
const SETTLED_MS = 300;

export function ProposalOptions({ session }: { session: CaseSession }) {
  const changes = useDistance(session);
  if (session.proposalHidden.value)
    return (
      <section class="block" data-testid="proposal-options">
        <h3>Proposal</h3>
        <p class="facts" data-testid="proposal-hidden">
          Hidden until your first stroke
        </p>
      </section>
    );
  if (!session.proposal.value || !session.draft.value) return null;
  return (
    <section class="block" data-testid="proposal-options">
      <h3>Proposal</h3>
      <p class="facts" role="status" data-testid="proposal-distance">
        {changes === null
          ? "…"
          : changes.voxels === 0
            ? "The draft is the proposal, unchanged"
            : `Against the proposal: ${changeText(session, changes, "differ")}`}
      </p>
      <ButtonRow class="chips" label="Proposal" verb="annotate">
        {!session.looksOnly && (
          <>
            <PlainButton
              class="small"
              title={withKey("All of the proposal again, as one step of undo", "proposal-take")}
              testid="proposal-take"
              onPress={() => takeProposal(session)}
            >
              Take it <Key of="proposal-take" />
            </PlainButton>
            <PlainButton
              class="small"
              title={withKey("Empty the draft, as one step of undo", "proposal-reject")}
              testid="proposal-reject"
              onPress={() => rejectProposal(session)}
            >
              Reject <Key of="proposal-reject" />
            </PlainButton>
          </>
        )}
        <PlainButton
          class="small"
          title={withKey("Both as outlines: the draft solid, the proposal dashed", "proposal-compare")}
          testid="proposal-compare"
          onPress={compareProposal}
        >
          {display.outlined.value && display.proposalShown.value ? "Fill again" : "Both outlines"} <Key of="proposal-compare" />
        </PlainButton>
      </ButtonRow>
    </section>
  );
}

/** How the draft differs from the proposal, a moment after it was last changed. */
function useDistance({ draft, proposal }: CaseSession): Changes | null {
  const [found, setFound] = useState<Changes | null>(null);
  const [mask, begun, version] = [draft.value?.mask, proposal.value, draft.value?.changes.value];
  useEffect(() => {
    if (!mask || !begun) return setFound(null);
    const timer = window.setTimeout(() => setFound(changesBetween(begun, mask)), found === null ? 0 : SETTLED_MS);
    return () => window.clearTimeout(timer);
  }, [mask, begun, version]);
  return found;
}
