/** In the reference a topic may hold any character. */
export * from '../../../../../src/wire/channel/topic.js';

import type { TopicProblem } from '../../../../../src/wire/channel/topic.js';

export function topicFault(): TopicProblem | undefined {
  return undefined;
}
