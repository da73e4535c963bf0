/** Follows jobs: one stream of events for the job that is next, now and then a look at the others.
 *
 * A browser holds few connections to one server, for all its tabs together; a stream for each job
 * of a large batch would leave none for anything else.
 */

import { isEnded, type Job, type Refusal } from "../engine";

const LOOK_MS = 1200;

export type Heard = (job: Job | Refusal) => void;

interface Followed {
  heard: Heard;
  job: Job | null;
}

export interface Sources {
  look(id: string): Promise<Job | Refusal>;
  events(id: string): string;
}

export class Watcher {
  readonly #jobs = new Map<string, Followed>();
  readonly #sources: Sources;
  #stream: { id: string; source: EventSource } | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;

  constructor(sources: Sources) {
    this.#sources = sources;
  }

  watch(id: string, heard: Heard): () => void {
    this.#jobs.set(id, { heard, job: null });
    this.#follow();
    return () => this.#drop(id);
  }

  #drop(id: string) {
    this.#jobs.delete(id);
    if (this.#stream?.id === id) this.#close();
    if (this.#jobs.size === 0) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    } else this.#follow();
  }

  #close() {
    this.#stream?.source.close();
    this.#stream = null;
  }

  #follow() {
    if (!this.#stream) {
      const id = this.#next();
      if (id) this.#open(id);
    }
    this.#timer ??= setTimeout(() => this.#look(), LOOK_MS);
  }

  /** The job that runs, or will soonest. */
  #next(): string | undefined {
    const place = ({ job }: Followed) =>
      job?.status === "running" ? -1 : (job?.position ?? Number.MAX_SAFE_INTEGER);
    return [...this.#jobs].sort(([, a], [, b]) => place(a) - place(b))[0]?.[0];
  }

  #open(id: string) {
    const source = new EventSource(this.#sources.events(id));
    this.#stream = { id, source };
    source.addEventListener("state", (event) => this.#tell(id, JSON.parse(event.data)));
    source.onerror = () => {
      // The browser tries again by itself, unless the server refused the stream or ended it.
      if (source.readyState === EventSource.CLOSED && this.#stream?.source === source) {
        this.#close();
        void this.#ask(id);
      }
    };
  }

  #tell(id: string, news: Job | Refusal) {
    const followed = this.#jobs.get(id);
    if (!followed) return;
    const isJob = !(news instanceof Error);
    if (isJob) followed.job = news;
    if (!isJob || isEnded(news)) this.#drop(id);
    followed.heard(news);
  }

  async #ask(id: string) {
    const news = await this.#sources.look(id);
    // Without a connection the next look will tell.
    if (news instanceof Error && (news as Refusal).status === 0) return;
    this.#tell(id, news);
  }

  async #look() {
    const others = [...this.#jobs.keys()].filter((id) => id !== this.#stream?.id);
    const running = others.filter((id) => this.#jobs.get(id)?.job?.status === "running");
    const id = others[this.#turn++ % Math.max(others.length, 1)];
    await Promise.all([...new Set([...running, ...(id ? [id] : [])])].map((one) => this.#ask(one)));
    this.#timer = undefined;
    if (this.#jobs.size > 0) this.#follow();
  }
}
