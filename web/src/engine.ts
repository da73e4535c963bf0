/** What brings photos to light, as the page sees it. The server is one such engine. */

export type Kind = "photo" | "video";
export type ControlName = "strength" | "exposure" | "denoise" | "local";
export type Adjust = Record<ControlName, number>;
export type Strip = "gps" | "all" | null;
export type VideoQuality = "fast" | "balanced" | "best";

export interface Control {
  neutral: number;
  low: number;
  high: number;
  unit: string;
}

export interface Format {
  name: string;
  suffix: string;
  quality: boolean;
  reads: boolean;
  writes: boolean;
}

export interface About {
  version: string;
  limits: { body_bytes: number; pixels: number; preview_pixels: number };
  controls: Record<ControlName, Control>;
  formats: Format[];
  photo_suffixes: string[];
  video_suffixes: string[];
  video_available: boolean;
}

export interface Model {
  name: string;
  title: string;
  summary: string;
  controls: ControlName[];
  sha256: string;
  steady: boolean;
}

export interface Models {
  default: string;
  default_video: string;
  models: Model[];
}

/** A recipe, as `undark show --json` prints it and `undark enhance --like` takes it. */
export interface Recipe {
  schema: number;
  undark: string;
  model: { name: string; sha256: string };
  adjust: Adjust;
  runtime: string;
  precision: string;
  quality: number | null;
  strip: Strip;
  source: string;
}

/** A photo or video that the engine has taken. Sizes are those of the upright picture. */
export interface Source {
  id: string;
  name: string;
  bytes: number;
  kind: Kind;
  width: number;
  height: number;
  seconds: number | null;
  bits: number;
  alpha: boolean;
  format: string;
  /** What its colours are, where they are more than sRGB. */
  colours: string;
  notices: string[];
  record: Recipe | null;
}

/** A part of the upright picture, in its pixels. */
export interface Part {
  x: number;
  y: number;
  w: number;
  h: number;
}

export interface PreviewOrder {
  /** Null for the source as it is. */
  look: { model: string; adjust: Partial<Adjust>; videoQuality?: VideoQuality } | null;
  maxPixels: number;
  /** The moment of a video, in seconds. */
  at?: number;
  /** That part at full size, instead of the whole. */
  part?: Part;
}

export interface JobOrder {
  source: string;
  model: string;
  adjust: Partial<Adjust>;
  format: string | null;
  quality: number | null;
  videoQuality: VideoQuality;
  strip: Strip;
  record: boolean;
}

export type JobStatus = "queued" | "running" | "done" | "failed" | "cancelled";

export interface Job {
  id: string;
  name: string;
  status: JobStatus;
  /** 0 to 1. */
  fraction: number;
  position: number | null;
  seconds_left: number | null;
  /** Frames a second of a video. */
  fps: number | null;
  notices: string[];
  error: { title: string; detail?: string } | null;
  result: { bytes: number; name: string } | null;
}

export const isEnded = (job: Job) => job.status !== "queued" && job.status !== "running";

/** Why an engine did not do what was asked, in a line for the user. */
export class Refusal extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message);
  }

  /** What was asked about is no longer there. */
  get gone(): boolean {
    return this.status === 404 || this.status === 410;
  }
}

export interface Engine {
  about(): Promise<About>;
  models(): Promise<Models>;
  /** Takes a file under an id of the caller's choice; `progress` gets 0 to 1. */
  probe(
    file: File,
    id: string,
    progress: (fraction: number) => void,
    signal: AbortSignal,
  ): Promise<Source>;
  /** What was taken before under the id. */
  recall(id: string): Promise<Source>;
  forget(id: string): Promise<void>;
  preview(id: string, order: PreviewOrder, signal: AbortSignal): Promise<Blob>;
  enhance(order: JobOrder, signal: AbortSignal): Promise<Job>;
  /** How a job stands. */
  look(id: string): Promise<Job>;
  /** Tells of a job until it ends or the returned function is called. */
  watch(id: string, heard: (job: Job | Refusal) => void): () => void;
  /** Stops a job, or forgets one that has ended. */
  cancel(id: string): Promise<void>;
  /** Address of a job's result, as a download. */
  result(id: string): string;
  /** Address of the results of many jobs in one archive. */
  archive(ids: string[]): string;
}
