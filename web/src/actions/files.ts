/** Files out of drops, pastes and dialogs; of folders, what undark reads. */

import type { About } from "../engine";
import { ready } from "../state";

export interface Found {
  files: File[];
  /** Files of folders that are no photos or videos. */
  leftOut: number;
}

const suffixOf = (name: string) => name.slice(name.lastIndexOf(".")).toLowerCase();

const known = (about: About, name: string) =>
  !name.startsWith(".") &&
  [...about.photo_suffixes, ...about.video_suffixes].includes(suffixOf(name));

/** A file chosen by itself is taken as it is: the server says what is wrong with it. */
export async function chosen(list: Iterable<File>, fromFolder = false): Promise<Found> {
  // A dialog's list is emptied once it is read.
  const all = [...list];
  const about = await ready();
  const files = fromFolder ? all.filter((file) => known(about, file.name)) : all;
  return { files: fromFolder ? sorted(files) : files, leftOut: all.length - files.length };
}

const sorted = (files: File[]) =>
  files.sort((a, b) =>
    (a.webkitRelativePath || a.name).localeCompare(b.webkitRelativePath || b.name, "en", {
      numeric: true,
    }),
  );

/** Entries must be asked for before the event ends; what they hold may come later. */
export async function dropped(data: DataTransfer): Promise<Found> {
  const entries = [...data.items]
    .filter((item) => item.kind === "file")
    .map((item) => item.webkitGetAsEntry());
  if (entries.length === 0 || entries.some((entry) => !entry)) {
    return chosen(data.files);
  }
  const plain: File[] = [];
  const nested: File[] = [];
  for (const entry of entries) {
    if (entry?.isFile) plain.push(await fileOf(entry as FileSystemFileEntry));
    else if (entry) await walk(entry as FileSystemDirectoryEntry, nested);
  }
  const inFolders = await chosen(nested, true);
  await ready();
  return { files: [...plain, ...inFolders.files], leftOut: inFolders.leftOut };
}

const fileOf = (entry: FileSystemFileEntry) =>
  new Promise<File>((resolve, reject) => entry.file(resolve, reject));

async function walk(folder: FileSystemDirectoryEntry, found: File[]): Promise<void> {
  const reader = folder.createReader();
  const inside: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) break;
    inside.push(...some);
  }
  inside.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
  for (const entry of inside) {
    if (entry.isDirectory) await walk(entry as FileSystemDirectoryEntry, found);
    else found.push(await fileOf(entry as FileSystemFileEntry));
  }
}
