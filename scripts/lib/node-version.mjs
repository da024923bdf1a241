// First thing in start and test, so only syntax that old versions of Node can read.

const MINIMUM = [20, 19];

/** Ends the process with one line where this Node is too old. */
export function requireNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > MINIMUM[0] || (major === MINIMUM[0] && minor >= MINIMUM[1])) return;
  console.error(
    `amop-relay needs Node.js ${MINIMUM.join('.')} or newer (26 is recommended); this is ${process.versions.node}. ` +
      'Install a newer one from your distribution or https://nodejs.org and try again.',
  );
  process.exit(1);
}
