package escada

// memo remembers what became of a field's text, as most texts of an export
// stand in it many times: codes of schools, classes, dates, given names. The
// latest ones lie in a small table, the others in a map.
type memo[T any] struct {
	latest [256]memoized[T]
	known  map[string]memoized[T]
}

type memoized[T any] struct {
	text  string
	value T
	set   bool
}

// A memo begins anew after memoSize texts, and does not keep long ones.
const (
	memoSize = 1 << 16
	memoText = 64
)

// get returns the value of raw, by compute where it is new.
func (m *memo[T]) get(raw []byte, compute func(string) T) T {
	if len(raw) > memoText {
		return compute(string(raw))
	}
	var hash uint8
	for _, c := range raw {
		hash = hash*31 + c
	}
	latest := &m.latest[hash]
	if latest.set && latest.text == string(raw) {
		return latest.value
	}
	v, ok := m.known[string(raw)]
	if !ok {
		if m.known == nil || len(m.known) >= memoSize {
			m.known = map[string]memoized[T]{}
		}
		s := string(raw)
		v = memoized[T]{s, compute(s), true}
		m.known[s] = v
	}
	*latest = v
	return v.value
}

// numbering gives texts small numbers; 0 is the empty text.
type numbering[T ~string] struct {
	numbers map[T]uint32
	texts   []T
}

func (n *numbering[T]) number(text T) uint32 {
	if text == "" {
		return 0
	}
	i, ok := n.numbers[text]
	if !ok {
		if n.numbers == nil {
			n.numbers, n.texts = map[T]uint32{}, []T{""}
		}
		i = uint32(len(n.texts))
		n.numbers[text] = i
		n.texts = append(n.texts, text)
	}
	return i
}

func (n *numbering[T]) text(i uint32) T {
	if i == 0 {
		return ""
	}
	return n.texts[i]
}

// slab hands out parts of larger slices.
type slab[T any] struct{ free []T }

func (c *slab[T]) take(n int) []T {
	if len(c.free) < n {
		c.free = make([]T, max(n, 2048))
	}
	t := c.free[:n:n]
	c.free = c.free[n:]
	return t
}
