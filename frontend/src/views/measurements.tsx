/** Measurements in the panel: what to measure with, and each one with its figures, its name and the way to it. */
import { Fragment } from "preact";
import { useEffect } from "preact/hooks";
import type { Measurement } from "../api/types";
import type { MeasurementKind } from "../geometry/measure";
import * as display from "../state/display";
import { loadMeasurements, previewOf } from "../state/keptmeasuring";
import {
  MEASURING,
  type MeasuringTool,
  measureLabel,
  nameMeasurement,
  pointsOf,
  removeMeasurement,
  showMeasurement,
  takeMeasuringTool,
} from "../state/measuring";
import type { CaseSession } from "../state/session";
import { withKey } from "../tools/keytables";
import { figureLines } from "../volume/figures";
import { ButtonRow, useOneStop } from "./buttonrow";
import { PlainButton, Toggle } from "./controls";
import { Icon } from "./icons";

const TOOLS: Record<MeasuringTool, string> = { ruler: "Ruler", angle: "Angle", ellipse: "Ellipse", rectangle: "Rectangle" };
const KINDS: Record<MeasurementKind, string> = { length: "Length", angle: "Angle", ellipse: "Ellipse", rectangle: "Rectangle", label: "Label" };

export function MeasurementPanel({ session }: { session: CaseSession }) {
  useEffect(() => void loadMeasurements(session), [session]);
  const kept = session.measurements.kept.value;
  const list = useOneStop<HTMLUListElement>();
  return (
    <section class="block" aria-label="Measurements" aria-busy={session.measurements.sending.value > 0} data-testid="measurements">
      <h3>Measurements {kept.length > 0 && <span class="faint">{kept.length}</span>}</h3>
      {!session.looksOnly && <Tools session={session} />}
      {session.measurements.offline.value && (
        <p class="note" role="status" data-testid="measurements-offline">
          The server does not respond: measurements are{" "}
          {session.measurements.unkept.value > 0
            ? "not kept by this browser, so leave the page open until they are sent"
            : "kept in this browser and sent when it does"}
          .
        </p>
      )}
      {kept.length > 0 && (
        <>
          <ul ref={list} class="measurements">
            {kept.map((one) => (
              <Row key={one.id} session={session} one={one} />
            ))}
          </ul>
          <Toggle value={display.measurementsShown} testid="measurements-shown">
            Show on the planes
          </Toggle>
        </>
      )}
    </section>
  );
}

function Tools({ session }: { session: CaseSession }) {
  const { tool } = display;
  const segments = session.project.kind === "segmentation" && session.draft.value !== null;
  const label = session.labels.find(({ value }) => value === session.label.value)?.name ?? "";
  return (
    <ButtonRow class="chips" label="Measure" verb="annotate">
      {(Object.keys(MEASURING) as MeasuringTool[]).map((name) => (
        <PlainButton
          key={name}
          class="chip"
          title={withKey(`${TOOLS[name]}: drag, or click each point; the next tool`, "measure")}
          pressed={tool.value === name}
          testid={`tool-${name}`}
          onPress={() => takeMeasuringTool(session, name)}
        >
          {TOOLS[name]}
        </PlainButton>
      ))}
      {segments && (
        <PlainButton
          class="chip"
          title={withKey(`The values and area of ${label} in this slice`, "measure-slice")}
          testid="measure-slice"
          onPress={() => void measureLabel(session, "slice")}
        >
          {label} here
        </PlainButton>
      )}
      {segments && !session.isFlat && (
        <PlainButton
          class="chip"
          title={withKey(`The values and volume of ${label} in all slices`, "measure-volume")}
          testid="measure-volume"
          onPress={() => void measureLabel(session, "volume")}
        >
          {label}, all
        </PlainButton>
      )}
    </ButtonRow>
  );
}

function Row({ session, one }: { session: CaseSession; one: Measurement }) {
  const { measurements } = session;
  const points = pointsOf(measurements, one);
  const moved = points !== one.points && one.axis !== null && one.index !== null;
  const figures = moved ? previewOf(session, { kind: one.kind, points, axis: one.axis!, index: one.index! }) : one.figures;
  const lines = figureLines(figures, session.header.unit);
  return (
    <li class={one.id === measurements.chosen.value ? "chosen" : ""} data-testid="measurement" data-id={one.id}>
      <PlainButton class="measurement" title={`Show it: ${placeOf(session, one)}`} testid={`show-${one.id}`} onPress={() => showMeasurement(session, one)}>
        <span>{titleOf(session, one)}</span>
        <span class="figures">
          {lines.length === 0 && "…"}
          {lines.map((line, n) => (
            <Fragment key={line}>
              {n > 0 && " "}
              <span class="whole">{n + 1 < lines.length ? `${line},` : line}</span>
            </Fragment>
          ))}
        </span>
        <span class="faint">
          {placeOf(session, one)}
          {!one.own && (
            <>
              , <bdi>{one.annotator}</bdi>
            </>
          )}
        </span>
      </PlainButton>
      {one.own && !session.looksOnly && (
        <span class="measurement-own" data-verb="annotate">
          <input
            type="text"
            value={one.note}
            maxLength={200}
            placeholder="Name"
            aria-label={`Name of ${titleOf(session, one)}`}
            data-testid={`name-${one.id}`}
            onChange={(event) => nameMeasurement(session, one.id, event.currentTarget.value)}
            onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
          />
          <button
            type="button"
            class="segment-switch"
            title="Remove; it can be brought back"
            aria-label={`Remove ${titleOf(session, one)}`}
            data-testid={`remove-${one.id}`}
            onClick={() => removeMeasurement(session, one.id)}
          >
            <Icon name="close" />
          </button>
        </span>
      )}
    </li>
  );
}

function titleOf({ labels }: CaseSession, { kind, label }: Measurement): string {
  return kind === "label" ? (labels.find(({ value }) => value === label)?.name ?? `Label ${label}`) : KINDS[kind];
}

function placeOf(session: CaseSession, { axis, index }: Measurement): string {
  if (axis === null || index === null) return "whole volume";
  const plane = session.planes.findIndex(({ slice_axis }) => slice_axis === axis);
  return session.isFilm ? `frame ${index + 1}` : session.isFlat ? "image" : `${plane < 0 ? "" : session.planeTitle(plane)} slice ${index + 1}`.trim();
}
