/** What the operating system says when it refuses a file. */

const reasons: Readonly<Record<string, string>> = {
  EACCES: 'no permission (EACCES)',
  EISDIR: 'it is a folder',
  ENOENT: 'there is no such file',
  ENOSPC: 'no space is left (ENOSPC)',
  ENOTDIR: 'a part of its path is a file (ENOTDIR)',
  EROFS: 'its file system is read-only (EROFS)',
}

/** Why a file is neither read nor written, in words where it is usual: the end of a sentence. */
export function whyRefused({ code = '' }: NodeJS.ErrnoException): string {
  return reasons[code] ?? code
}
