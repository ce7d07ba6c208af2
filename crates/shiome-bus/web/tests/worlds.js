// Where behaviours run.

import { Bus, Peer } from "../shiome.js";

/** Runs a behaviour with peers of one bus, and gives its result. */
export async function onOneBus(behaviour) {
  const bus = new Bus();
  try {
    return await behaviour({ peer: async (id, options) => bus.peer(id, options) });
  } finally {
    await bus.close(0).catch(ignoreTimeout);
  }
}

/** Runs a behaviour with peers that reach each other through a server, each on a bus of its own. */
export async function throughServer(url, behaviour, options = {}) {
  const peers = [];
  const peer = async (id, more) => {
    const made = await Peer.connect(id, { url, storage: null, ...options, ...more });
    for (const other of peers) if (!other.isClosed) await Promise.all([other.waitFor(id), made.waitFor(other.id)]);
    peers.push(made);
    return made;
  };
  try {
    return await behaviour({ peer });
  } finally {
    await Promise.all(peers.map((one) => one.close(1000).catch(ignoreTimeout)));
  }
}

/** What a behaviour left unhandled is no fault of it. */
function ignoreTimeout(error) {
  if (error.code !== "Timeout") throw error;
}
