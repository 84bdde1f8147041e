// Server-sent events out of a fetched body: EventSource can send no token.

export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  // What belongs to no whole event yet.
  let pieces = [];
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      pieces.push(value);
      // Within a large value no line ends: looking through all of it again for each piece would take seconds.
      if (!value.includes('\n')) continue;
      const blocks = pieces.join('').split('\n\n');
      pieces = [blocks.pop()];
      for (const block of blocks) {
        const event = parsed(block);
        if (event) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// `null`: a comment, or only where to go on from.
function parsed(block) {
  let name = 'message';
  const data = [];
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data.push(line.slice(6));
  }
  return data.length > 0 ? { name, data: JSON.parse(data.join('\n')) } : { name: 'alive', data: null };
}
