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
	batches int    // so far
	room    [][]byte
}

const aheadBatches = 4

// batch is what is handed over at once: the rows of one buffer.
type batch struct {
	rows   []cutRow
	spans  []span   // of simple rows
	buf    []byte   // where they lie
	others []row    // rows that are not simple
	fields [][]byte // of others
	bytes  []byte   // of these fields
	single bool     // the file has turned out to be in a single-byte encoding
}

// cutRow is one row of a batch.
type cutRow struct {
	line     int32
	other    int32 // number in others; -1: it is simple
	from, to int32 // in spans or in fields
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

// fill takes the rows of the scanner's buffer, and what begins there, and reports
// whether there may be more. The buffer is then the batch's; its old one becomes
// the scanner's.
func (b *batch) fill(scan *scanner) bool {
	b.rows, b.spans, b.others = b.rows[:0], b.spans[:0], b.others[:0]
	b.fields, b.bytes = b.fields[:0], b.bytes[:0]
	b.buf = scan.lend(b.buf)
	for scan.lent {
		from, line := int32(len(b.spans)), int32(scan.line)
		var ok bool
		if b.spans, ok = scan.simple(b.spans); ok {
			b.rows = append(b.rows, cutRow{line, -1, from, int32(len(b.spans))})
			continue
		}
		r, ok := scan.next()
		if !ok {
			return false
		}
		b.keep(r, scan.current)
	}
	return true
}

// keep copies the fields of a row that is not simple.
func (b *batch) keep(r row, fields [][]byte) {
	from := int32(len(b.fields))
	if r.fault == "" {
		size := 0
		for _, f := range fields {
			size += len(f)
		}
		if cap(b.bytes)-len(b.bytes) < size {
			b.bytes = make([]byte, 0, max(firstBuffer, size)) // fields in the old one stay there
		}
		for _, f := range fields {
			at := len(b.bytes)
			b.bytes = append(b.bytes, f...)
			b.fields = append(b.fields, b.bytes[at:len(b.bytes):len(b.bytes)])
		}
	}
	b.rows = append(b.rows, cutRow{int32(r.line), int32(len(b.others)), from, int32(len(b.fields))})
	b.others = append(b.others, r)
}

// wait gets the next batch when all rows of the current one were given out, and
// reports whether there is another row.
func (a *ahead) wait() bool {
	if a.at < len(a.now.rows) {
		return true
	}
	if cap(a.now.rows) > 0 {
		a.free <- a.now
	}
	b, ok := <-a.full
	if !ok {
		b = &batch{}
	}
	a.now, a.at = b, 0
	a.batches++
	return ok
}

func (a *ahead) next() (row, bool) {
	if !a.wait() {
		return row{}, false
	}
	r := a.now.rows[a.at]
	a.at++
	if r.other >= 0 {
		return a.now.others[r.other], true
	}
	return row{line: int(r.line), ended: true, isBlank: isBlank(a.fields())}, true
}

// fields are those of the row that next gave.
func (a *ahead) fields() [][]byte {
	r := a.now.rows[a.at-1]
	if r.other >= 0 {
		return a.now.fields[r.from:r.to:r.to]
	}
	return a.texts(a.now.spans[r.from:r.to])
}

// texts gives the fields of a simple row.
func (a *ahead) texts(spans []span) [][]byte {
	a.room = a.room[:0]
	for _, x := range spans {
		a.room = append(a.room, a.now.buf[x.from:x.to:x.to])
	}
	return a.room
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
