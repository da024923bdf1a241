export { P2P_CLOSE_REASONS, type P2PCloseReason } from '../../base/p2p-close-reason.js';
