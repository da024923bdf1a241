/** `[compatibility] supported_version`: the release of fisco 2.x whose P2P format the network speaks. */

export const DEFAULT_SUPPORTED_VERSION = '2.11.0';

/** Releases are `2.b.c`, candidates `2.b.c-rcN`, as in the config.ini of a node. */
const VERSION = /^(\d{1,4})\.(?:0|[1-9]\d{0,3})\.(?:0|[1-9]\d{0,3})(?:-rc[1-9]\d{0,3})?$/;

/**
 * The P2P header of a network (fisco 2.x node specification §3.3): `rc1` has 12 bytes and came with 2.0.0-rc1 only,
 * `rc2` has 16 bytes and came with 2.0.0-rc2 and everything since.
 *
 * @param version a version that supportedVersionProblems accepts
 */
export function p2pFormatOf(version: string): 'rc2' | 'rc1' {
  return version === '2.0.0-rc1' ? 'rc1' : 'rc2';
}

export function supportedVersionProblems(text: string): string[] {
  const major = VERSION.exec(text)?.[1];
  if (major === '2') return [];
  const shown = JSON.stringify(text.slice(0, 20));
  return major === undefined
    ? [`${shown} is no version; write it as in config.ini, like "${DEFAULT_SUPPORTED_VERSION}" or "2.0.0-rc1"`]
    : [`${shown} is no version of fisco 2.x, the only one whose P2P port is spoken here`];
}
