package soap

import (
	"bytes"
	"slices"
)

// OX answers with every field that a user could have, and nearly all of them are nil,
// or not asked for and the same for everybody: nine tenths of a list of users are the
// same bytes for each of them. A client's decoder remembers such runs of elements that
// come to nothing after it has read them once, and passes over one that comes again,
// byte for byte, in the same place.

// nilRuns are the runs of one decoder. They belong to the elements of one plan; when
// those of another plan have any, they are forgotten.
type nilRuns struct {
	plan    *plan
	byField [][]nilRun // by the field that was expected when the run began
	size    int        // bytes of all

	// Elements that nobody has asked for and that are not nil, as they came last: one
	// that comes again as it was belongs to a run, since others are likely to have it.
	others [maxOthers][]byte
	oldest int

	// The run that is being read.
	reading bool
	began   int // the field that was expected before it; below 0: it is not known as a whole
	now     nilRun
}

// nilRun is a run that was read: with the prefixes of then the same bytes mean the
// same, which is nothing but the field that is expected after it.
type nilRun struct {
	bytes    []byte
	next     int
	bindings []binding
}

const (
	minNilRun   = 64 // bytes, from which it is worth it
	maxNilRuns  = 16 // of one field
	maxOthers   = 32
	maxOther    = 1 << 10 // bytes of one
	maxNilBytes = 1 << 20 // of all
)

// pass passes over runs of elements that were read before, as long as one comes, and
// returns the field that is expected then.
func (d *decoder) pass(p *plan, hint int) (next int) {
	r := &d.runs
	if d.strict || d.selfClosed || r.reading || r.plan != p {
		return hint
	}
	for {
		i := slices.IndexFunc(r.byField[hint], func(run nilRun) bool {
			return d.comes(run.bytes) && slices.Equal(run.bindings, d.bindings)
		})
		if i < 0 {
			return hint
		}
		d.pos += len(r.byField[hint][i].bytes)
		hint = r.byField[hint][i].next
	}
}

// comes reports whether the document goes on with b.
func (s *scanner) comes(b []byte) bool {
	for {
		there := s.buf[s.pos:s.end]
		if len(there) >= len(b) {
			return bytes.HasPrefix(there, b)
		}
		if !bytes.HasPrefix(b, there) || s.more() != nil {
			return false
		}
	}
}

// again reports whether an element that nobody has asked for, of which these are the
// bytes, has come before.
func (r *nilRuns) again(raw []byte) bool {
	if len(raw) == 0 || len(raw) > maxOther {
		return false
	}
	for _, o := range r.others {
		if bytes.Equal(o, raw) {
			return true
		}
	}
	r.others[r.oldest] = append(r.others[r.oldest][:0], raw...)
	r.oldest = (r.oldest + 1) % maxOthers
	return false
}

// note adds an element that came to nothing, and was read just now, to the run that is being
// read; hint is the field that was expected before it, and raw its bytes, none if they
// are gone.
func (d *decoder) note(hint int, raw []byte) {
	r := &d.runs
	if !r.reading {
		r.reading, r.began = true, hint
		r.now.bytes = r.now.bytes[:0]
		r.now.bindings = append(r.now.bindings[:0], d.bindings...)
	}
	if len(raw) == 0 || len(r.now.bytes)+len(raw) > maxTag {
		r.began = -1
	}
	if r.began >= 0 {
		r.now.bytes = append(r.now.bytes, raw...)
	}
}

// ended keeps the run that was being read; next is the field that is expected now.
func (d *decoder) ended(p *plan, next int) {
	r := &d.runs
	if !r.reading {
		return
	}
	size := len(r.now.bytes)
	if r.reading = false; r.began < 0 || size < minNilRun {
		return
	}
	if r.plan != p {
		r.plan, r.byField, r.size = p, make([][]nilRun, len(p.fields)+1), 0
	}
	if len(r.byField[r.began]) == maxNilRuns || r.size+size > maxNilBytes {
		return
	}
	r.size += size
	r.byField[r.began] = append(r.byField[r.began], nilRun{bytes: bytes.Clone(r.now.bytes), next: next,
		bindings: slices.Clone(r.now.bindings)})
}
