package schoolmail

import "strings"

// chunk gives out values of one sort from larger pieces of memory, since a million
// small ones cost more to collect than to fill.
type chunk[T any] struct{ free []T }

const chunkSize = 128

// one returns a value, empty and nobody else's.
func (c *chunk[T]) one() *T {
	if len(c.free) == 0 {
		c.free = make([]T, chunkSize)
	}
	v := &c.free[0]
	c.free = c.free[1:]
	return v
}

// take returns n values, empty and nobody else's.
func (c *chunk[T]) take(n int) []T {
	if len(c.free) < n {
		c.free = make([]T, max(n, chunkSize))
	}
	v := c.free[:n:n]
	c.free = c.free[n:]
	return v
}

// texts makes short texts in larger pieces of memory, for the same reason.
type texts struct{ piece *strings.Builder }

const textsSize = 1 << 14

// room makes sure that n bytes more fit into the piece, and returns where they begin.
func (t *texts) room(n int) int {
	if t.piece == nil || t.piece.Cap()-t.piece.Len() < n {
		t.piece = &strings.Builder{}
		t.piece.Grow(max(n, textsSize))
	}
	return t.piece.Len()
}

func (t *texts) text(b []byte) string {
	from := t.room(len(b))
	t.piece.Write(b)
	return t.piece.String()[from:]
}

func (t *texts) join(parts ...string) string {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	from := t.room(n)
	for _, p := range parts {
		t.piece.WriteString(p)
	}
	return t.piece.String()[from:]
}
