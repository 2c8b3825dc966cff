/** The pool as a map: what looks alike lies together. Points are coloured, looked at, lassoed, and queried. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { listJobs, makeMap, readMap } from "../api/calls";
import { may } from "../api/me";
import { annotatorName } from "../api/person";
import type { MapBody, PoolMap, Project } from "../api/types";
import { COLOURINGS, type Colouring, entriesOf } from "../state/mapcolours";
import { tell, tellError } from "../state/notices";
import { Allowed, Empty } from "./controls";
import { Header } from "./header";
import { MapCanvas } from "./mapcanvas";
import { Chosen, Legend } from "./mapside";

const LOOK_MS = 1500;

export function MapView({ project }: { project: Project }) {
  const [column, setColumn] = useState("");
  const [colouring, setColouring] = useState<Colouring>("state");
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [at, setAt] = useState(-1);
  const { map, look, busy, make } = useMap(project, column);
  useEffect(() => {
    document.title = `Map – ${project.name}`;
  }, [project.id]);
  useEffect(() => {
    setChosen(new Set());
    setAt(-1);
  }, [map]);
  const entries = useMemo(() => (map ? entriesOf(map, colouring, project.labels) : []), [map, colouring, project.labels]);
  const colourBy = (value: string): void => {
    setColouring(value.startsWith("group:") ? "group" : (value as Colouring));
    setColumn(value.startsWith("group:") ? value.slice(6) : "");
  };
  return (
    <div class="view">
      <Header project={project} view="worklist" />
      <main class="page page-wide" data-testid="map">
        <div class="filter-bar">
          <label class="hint">
            Colour by{" "}
            <select
              value={colouring === "group" ? `group:${column}` : colouring}
              data-testid="map-colour"
              onChange={(event) => colourBy(event.currentTarget.value)}
            >
              {COLOURINGS.map(([value, name]) => (
                <option key={value} value={value}>
                  {name}
                </option>
              ))}
              {map?.columns.map((name) => (
                <option key={name} value={`group:${name}`}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <span class="grow" />
          <Make project={project} map={map ?? null} busy={busy} onMake={make} />
        </div>
        {map === null && (
          <Empty title="No map yet">
            {may("train", project.id) ? "Make one: every case that the model or the images describe becomes a point." : "Somebody who may train makes it."}
          </Empty>
        )}
        {map && (
          <>
            {map.outdated && (
              <p class="warning" role="status" data-testid="map-outdated">
                Out of date: {map.outdated}.
              </p>
            )}
            <div class="map-parts">
              <MapCanvas project={project} map={map} {...{ entries, chosen, at }} onChosen={setChosen} onAt={setAt} />
              <div class="map-side">
                <Legend entries={entries} onChosen={setChosen} />
                <Chosen project={project} map={map} chosen={chosen} onChosen={setChosen} onAt={setAt} onQueried={look} />
              </div>
            </div>
            {map.words.map((words) => (
              <p key={words} class="hint" data-testid="map-words">
                {words}
              </p>
            ))}
          </>
        )}
      </main>
    </div>
  );
}

function Make({ project, map, busy, onMake }: { project: Project; map: PoolMap | null; busy: string; onMake: (how: MapBody) => void }) {
  const [how, setHow] = useState("auto pca");
  const send = (): void => {
    const [described, layout] = how.split(" ") as [MapBody["described"], MapBody["layout"]];
    onMake({ described, layout });
  };
  return (
    <Allowed verb="train" project={project.id}>
      <label class="hint">
        Laid out by{" "}
        <select value={how} data-testid="map-how" onChange={(event) => setHow(event.currentTarget.value)}>
          <option value="auto pca">the model, or else the images</option>
          <option value="images pca">the images</option>
          <option value="auto tsne">the model or images, t-SNE (5,000 cases at most)</option>
          <option value="images tsne">the images, t-SNE (5,000 cases at most)</option>
        </select>
      </label>
      <button class={map && !map.outdated ? "" : "primary"} disabled={busy !== ""} data-testid="map-make" onClick={send}>
        {busy || (map ? "Make the map anew" : "Make the map")}
      </button>
    </Allowed>
  );
}

/** The map, null before there is one, undefined while it is being read; and the job that makes it, watched until its end. */
function useMap(project: Project, column: string) {
  const [map, setMap] = useState<PoolMap | null | undefined>(undefined);
  const [job, setJob] = useState("");
  const [busy, setBusy] = useState("");
  const waiting = project.workers.alive ? "Waiting for the worker…" : "Waiting: no worker runs";
  const person = annotatorName.value;
  const look = (): void => void readMap(project.id, column).then(setMap).catch(tellError);
  useEffect(look, [project.id, column, person]);
  useEffect(() => {
    if (!job) return;
    const timer = setInterval(() => {
      listJobs(project.id)
        .then((jobs) => {
          const mine = jobs.find(({ id }) => id === job);
          if (mine && (mine.state === "queued" || mine.state === "running")) {
            setBusy(mine.state === "queued" ? waiting : `${mine.message || "At work"}…`);
            return;
          }
          setJob("");
          setBusy("");
          if (mine?.state === "failed") tell("error", `The map was not made: ${mine.error}`);
          else look();
        })
        .catch(tellError);
    }, LOOK_MS);
    return () => clearInterval(timer);
  }, [job, project.id, column]);
  const make = (how: MapBody): void => {
    setBusy(waiting);
    makeMap(project.id, how)
      .then(({ job_id }) => setJob(job_id))
      .catch((error: unknown) => {
        setBusy("");
        tellError(error);
      });
  };
  return { map, look, busy, make };
}
