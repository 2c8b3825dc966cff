/** A small picture of a case, where it can be had. */
import { useEffect, useState } from "preact/hooks";
import { thumbnailPath } from "../api/calls";
import { annotatorName } from "../api/person";
import type { CaseLine } from "../api/types";
import { wantPicture } from "../state/pictures";

interface PictureProps {
  project: string;
  line: Pick<CaseLine, "id" | "name" | "updated">;
  size: 96 | 288;
}

/** What it shows depends on who looks, and changes whenever somebody did something with the case. */
export function Picture({ project, line, size }: PictureProps) {
  const path = thumbnailPath(project, line.id, size);
  return <Fetched path={path} version={`${line.updated} ${annotatorName.value}`} name={line.name} look={`thumbnail thumbnail-${size}`} />;
}

export function Fetched({ path, version, name, look }: { path: string; version: string; name: string; look: string }) {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => wantPicture(`${path} ${version}`, path, setUrl), [path, version]);
  return url === null ? <span class={`${look} thumbnail-empty`} aria-hidden="true" /> : <img class={look} src={url} alt={name} decoding="async" />;
}
