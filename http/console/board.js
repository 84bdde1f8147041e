// A value that changes, and who is told when it does.
import { useEffect, useState } from './html.js';

export function board(value) {
  const readers = new Set();
  return {
    get: () => value,
    set(next) {
      value = next;
      for (const reader of [...readers]) reader(value);
    },
    merge(part) {
      this.set({ ...value, ...part });
    },
    follow(reader) {
      readers.add(reader);
      return () => readers.delete(reader);
    },
  };
}

// The value of a board, for a component that is drawn anew when it changes.
export function useBoard(source) {
  const [value, setValue] = useState(source.get());
  useEffect(() => {
    setValue(source.get()); // it may have changed since it was drawn
    return source.follow(setValue);
  }, [source]);
  return value;
}
