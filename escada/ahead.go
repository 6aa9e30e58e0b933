package escada

import "sync"

// ahead reads the rows of a file in a goroutine of its own, while those before them
// are looked at: reading, hashing, decoding and cutting into fields are half of the
// work. Rows come in batches, of which there are never more than aheadBatches.
type ahead struct {
	scan    *scanner
	text    *decoder
	full    chan *batch
	free    chan *batch
	stop    chan struct{}
	stopped sync.Once
	now     *batch // what next goes through
	at      int    // the next row of it
}

const (
	aheadBatches = 4
	aheadRows    = 512
)

// batch is what is handed over at once.
type batch struct {
	rows   []row
	ends   []int // of the fields of each row
	fields [][]byte
	bytes  []byte // of the fields
	single bool   // the file has turned out to be in a single-byte encoding
}

// readAhead begins to read what follows in scan, which nobody else may use until close.
func readAhead(scan *scanner, text *decoder) *ahead {
	a := &ahead{scan: scan, text: text, full: make(chan *batch, aheadBatches), free: make(chan *batch, aheadBatches),
		stop: make(chan struct{}), now: &batch{}}
	for range aheadBatches {
		a.free <- &batch{}
	}
	go a.run()
	return a
}

func (a *ahead) run() {
	defer close(a.full)
	for more := true; more; {
		var b *batch
		select {
		case b = <-a.free:
		case <-a.stop:
			return
		}
		if more = b.fill(a.scan); len(b.rows) == 0 {
			return
		}
		b.single = a.text.single()
		a.full <- b // has room for all there are
	}
}

// fill takes rows and reports whether there may be more.
func (b *batch) fill(scan *scanner) bool {
	b.rows, b.ends, b.fields, b.bytes = b.rows[:0], b.ends[:0], b.fields[:0], b.bytes[:0]
	for len(b.rows) < aheadRows && len(b.bytes) < firstBuffer {
		r, ok := scan.next()
		if !ok {
			return false
		}
		if r.fault == "" {
			b.keep(scan.current)
		}
		b.rows, b.ends = append(b.rows, r), append(b.ends, len(b.fields))
	}
	return true
}

// keep copies the fields of a row, which are the scanner's until its next one.
func (b *batch) keep(fields [][]byte) {
	size := 0
	for _, f := range fields {
		size += len(f)
	}
	if cap(b.bytes)-len(b.bytes) < size {
		b.bytes = make([]byte, 0, max(2*firstBuffer, size)) // fields in the old one stay there
	}
	for _, f := range fields {
		at := len(b.bytes)
		b.bytes = append(b.bytes, f...)
		b.fields = append(b.fields, b.bytes[at:len(b.bytes):len(b.bytes)])
	}
}

func (a *ahead) next() (row, bool) {
	if a.at == len(a.now.rows) {
		if cap(a.now.rows) > 0 {
			a.free <- a.now
		}
		b, ok := <-a.full
		if !ok {
			a.now = &batch{}
			a.at = 0
			return row{}, false
		}
		a.now, a.at = b, 0
	}
	a.at++
	return a.now.rows[a.at-1], true
}

func (a *ahead) fields() [][]byte {
	from := 0
	if a.at > 1 {
		from = a.now.ends[a.at-2]
	}
	to := a.now.ends[a.at-1]
	return a.now.fields[from:to:to]
}

// single reports whether the current row is of a file in a single-byte encoding.
func (a *ahead) single() bool { return a.now.single }

// close ends the goroutine and waits for it. What was not read yet is left.
func (a *ahead) close() {
	a.stopped.Do(func() { close(a.stop) })
	for range a.full { // until it is closed
	}
}

func (a *ahead) failure() error { return a.scan.failure() }
