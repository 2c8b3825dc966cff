/** How things are drawn: mask, uncertainty, window, channels. */
import type { Signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { may } from "../api/me";
import { heatColour } from "../render/lut";
import * as display from "../state/display";
import { HANGINGS } from "../state/hanging";
import type { CaseSession } from "../state/session";
import { fullKey, withKey } from "../tools/keytables";
import { ButtonRow } from "./buttonrow";
import { Slider, Toggle } from "./controls";
import { later } from "./later";
import { SlabOptions } from "./slab";

const CaseQuality = later(
  () => import("./casequality").then((part) => part.CaseQuality),
  () => null,
);

const ReferenceList = later(
  () => import("./referencelist").then((part) => part.ReferenceList),
  () => null,
);

export function LookOptions({ session }: { session: CaseSession }) {
  return (
    <>
      {session.project.kind === "segmentation" && <MaskOptions />}
      {session.project.kind === "segmentation" && <UncertaintyOptions session={session} />}
      <WindowOptions session={session} />
      {!session.isFlat && <HangingOptions session={session} />}
      {session.header.references > 0 && session.purpose !== "compare" && (
        <section class="block">
          <div class="toggles">
            <Toggle value={display.referenceShown} action="reference" testid="reference-shown">
              Reference series
            </Toggle>
          </div>
        </section>
      )}
      {!session.isFlat && <SlabOptions session={session} />}
      {may("add", session.project.id) && session.purpose !== "compare" && (
        <section class="block">
          <ReferenceList project={session.project.id} caseId={session.header.id} />
        </section>
      )}
      <section class="block">
        <h3>Acquisition</h3>
        <CaseQuality project={session.project.id} caseId={session.header.id} />
      </section>
    </>
  );
}

export const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function OpacitySlider({ opacity, low, testid }: { opacity: Signal<number>; low: number; testid: string }) {
  const { value } = opacity;
  return (
    <Slider label="Opacity" value={value} low={low} high={1} step={0.05} shown={percent(value)} testid={testid} onInput={(moved) => (opacity.value = moved)} />
  );
}

function MaskOptions() {
  return (
    <section class="block">
      <h3>Mask</h3>
      <OpacitySlider opacity={display.maskOpacity} low={0.05} testid="mask-opacity" />
      <div class="toggles">
        <Toggle value={display.maskShown} action="mask" testid="mask-shown">
          Show
        </Toggle>
        <Toggle value={display.outlined} action="outline" testid="outlined">
          Outline
        </Toggle>
        <Toggle value={display.proposalShown} action="proposal" testid="proposal-shown">
          Proposal, dashed
        </Toggle>
      </div>
    </section>
  );
}

function UncertaintyOptions({ session }: { session: CaseSession }) {
  if (!session.uncertainty.value) return null;
  const { length } = session.advice.looks.value;
  const at = session.advice.look.value;
  return (
    <section class="block">
      <h3>
        Model’s uncertainty
        {at >= 0 && <span class="faint">{`place ${at + 1} of ${length}`}</span>}
      </h3>
      <Legend from="certain" to="uncertain" colourOf={heatColour} testid="uncertainty-legend" />
      <OpacitySlider opacity={display.uncertaintyOpacity} low={0.1} testid="uncertainty-opacity" />
      <Toggle value={display.uncertaintyShown} action="uncertainty" testid="uncertainty-shown">
        Show the uncertainty
      </Toggle>
    </section>
  );
}

interface LegendProps {
  from: string;
  to: string;
  /** The colour of a share from 0 to 1. */
  colourOf: (share: number) => readonly number[];
  testid: string;
}

export function Legend({ from, to, colourOf, testid }: LegendProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current!.getContext("2d")!;
    for (let x = 0; x < 256; x++) {
      context.fillStyle = `rgb(${colourOf(x / 255).join()})`;
      context.fillRect(x, 0, 1, 8);
    }
  }, []);
  return (
    <div class="legend" data-testid={testid}>
      <span>{from}</span>
      <canvas ref={canvas} width="256" height="8" role="img" aria-label={`Colours from ${from} to ${to}`} />
      <span>{to}</span>
    </div>
  );
}

export function WindowOptions({ session }: { session: CaseSession }) {
  const { low, high } = session.window.value;
  const { channels, value_range, unit } = session.header;
  const { presets } = session.window;
  const edge = (value: number): string => (Math.abs(value) >= 100 || Number.isInteger(value) ? value.toFixed(0) : value.toPrecision(3));
  return (
    <section class="block">
      <h3>
        Window{" "}
        <span class="faint" title={`Values ${edge(value_range[0])} to ${edge(value_range[1])}`}>
          {edge(low)} … {edge(high)}
          {unit && ` ${unit}`}
        </span>
      </h3>
      <UnknownModality session={session} />
      <ButtonRow class="chips" label="Window presets">
        {presets.map((preset, n) => (
          <button
            key={preset.name}
            class="chip"
            aria-pressed={preset.low === low && preset.high === high}
            title={`${preset.explanation && `${preset.explanation}: `}${edge(preset.low)} … ${edge(preset.high)}${n < 9 ? ` (${fullKey("preset").replace("1 … 9", String(n + 1))})` : ""}`}
            data-testid={`preset-${n}`}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => session.window.choose(preset)}
          >
            {preset.name}
          </button>
        ))}
      </ButtonRow>
      {channels > 1 && <Channels session={session} />}
      <div class="toggles">
        <Toggle value={display.smooth} action="smooth" testid="smooth">
          Smooth
        </Toggle>
        {session.channel.value !== "rgb" && (
          <button
            type="button"
            class="chip"
            aria-pressed={session.window.inverted}
            data-testid="invert"
            title={withKey("Low values bright", "invert")}
            onMouseDown={(event) => event.preventDefault()}
            onClick={() => session.window.invert()}
          >
            Invert
          </button>
        )}
        {!session.isPicture && (
          <Toggle value={display.crosshairShown} action="crosshair" testid="crosshair">
            Crosshair
          </Toggle>
        )}
      </div>
    </section>
  );
}

function UnknownModality({ session }: { session: CaseSession }) {
  const { modality, looks_like, colour } = session.header;
  if (modality || colour) return null;
  return (
    <p class="hint" data-testid="modality-unknown">
      The file names no modality; {looks_like ? `its values look like ${looks_like}, so these presets are offered` : "the presets follow its values"}.
    </p>
  );
}

function HangingOptions({ session }: { session: CaseSession }) {
  const { hanging } = session;
  const chip = (testid: string, pressed: boolean, words: string, title: string, press: () => void) => (
    <button
      key={testid}
      type="button"
      class="chip"
      aria-pressed={pressed}
      data-testid={testid}
      title={title}
      onMouseDown={(event) => event.preventDefault()}
      onClick={press}
    >
      {words}
    </button>
  );
  return (
    <section class="block">
      <h3>Planes</h3>
      <ButtonRow class="chips" label="How the planes hang">
        {HANGINGS.map((name) =>
          chip(`hanging-${name.replaceAll(" ", "")}`, hanging.name.value === name, name, withKey(`Hang ${name}; the next`, "hang"), () => hanging.hang(name)),
        )}
      </ButtonRow>
      <ButtonRow class="chips" label="Plane in the large pane">
        {session.planes.map(({ name }, index) =>
          chip(`large-${name}`, hanging.large.value === index, session.planeTitle(index), withKey("In the large pane; the next", "plane"), () =>
            hanging.enlarge(index),
          ),
        )}
      </ButtonRow>
    </section>
  );
}

function Channels({ session }: { session: CaseSession }) {
  const names = session.header.colour ? ["Red", "Green", "Blue"] : session.header.channel_names;
  return (
    <ButtonRow class="chips" label="Channel">
      {session.channelViews.map((view) => (
        <button
          key={view}
          class="chip"
          aria-pressed={session.channel.value === view}
          data-testid={`channel-${view}`}
          onClick={() => (session.channel.value = view)}
        >
          {view === "rgb" ? "Colour" : names[view] || `Channel ${view + 1}`}
        </button>
      ))}
    </ButtonRow>
  );
}
