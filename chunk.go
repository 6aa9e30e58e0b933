package schoolmail

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
