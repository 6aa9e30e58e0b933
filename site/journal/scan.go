package journal

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/ictmedia/schoolmail"
)

const headLine2 = "# schoolmail journal, format 2\n"

// head returns the two lines with which a file of format 2 begins.
func head(number int, continues hash) string {
	if continues == (hash{}) {
		return headLine2 + fmt.Sprintf("# file %d\n", number)
	}
	return headLine2 + fmt.Sprintf("# file %d, continues %s\n", number, continues)
}

func parseHead(line string) (number int, continues hash, ok bool) {
	before, after, more := strings.Cut(line, ", continues ")
	if _, err := fmt.Sscanf(before, "# file %d", &number); err != nil || number < 1 {
		return 0, hash{}, false
	}
	if more {
		if continues, ok = parseHash(after); !ok {
			return 0, hash{}, false
		}
	}
	return number, continues, strings.TrimSuffix(head(number, continues), "\n") == headLine2+line
}

// contents is what was read of a file.
type contents struct {
	format    int // 0: empty, or a crash while it was begun
	number    int
	continues hash
	hashes    []hash // after each batch; only where they were asked for
	last      hash   // at the end of the good part
	good      int64  // length of the good part in bytes
	entries   int
	text      text // at the end of the good part
}

// reader goes through a file of format 2.
type reader struct {
	contents
	name  string
	keep  bool // hashes
	yield func(schoolmail.JournalEntry) bool

	batch     []byte // lines since the last hash
	from      int    // line of its first
	claimed   hash   // the last hash that is written, right or wrong
	damage    int    // line of the first batch that does not fit; 0: none
	stopped   bool
	lineCount int
}

// read goes through a journal's file of any format and calls yield with every entry
// of its good part, until yield returns false. Whatever follows the good part is an
// unfinished end; a damaged batch before a good one is a [*CorruptError].
func read(name string, in io.Reader, keep bool, yield func(schoolmail.JournalEntry) bool) (contents, error) {
	br := bufio.NewReaderSize(in, 64<<10)
	first, err := br.Peek(len(headLine1))
	if len(first) == 0 {
		if err == io.EOF {
			err = nil
		}
		return contents{}, err
	}
	if string(first) == headLine1 {
		c := contents{format: 1}
		c.good, err = readFormat1(name, br, func(e schoolmail.JournalEntry) bool { c.entries++; return yield(e) })
		return c, err
	}
	r := &reader{name: name, keep: keep, yield: yield}
	r.number = 1
	err = r.run(br)
	return r.contents, err
}

func (r *reader) corrupt(line int, reason string) error { return &CorruptError{r.name, line, reason} }

func (r *reader) run(br *bufio.Reader) error {
	for !r.stopped {
		line, ended, tooLong, err := readLine(br)
		switch {
		case err != nil:
			return err
		case len(line) == 0 && !ended:
			return nil
		}
		r.lineCount++
		switch {
		case r.lineCount <= 2:
			done, err := r.head(string(line), ended)
			if done || err != nil {
				return err
			}
		case !ended:
			return nil // the last line has no line end: never finished
		case len(line) > 0 && line[0] == '=' && !tooLong:
			if err := r.end(string(line[1:])); err != nil {
				return err
			}
		default:
			if len(r.batch) == 0 {
				r.from = r.lineCount
			}
			r.batch = append(append(r.batch, line...), '\n')
		}
	}
	return nil
}

// head reads the first two lines. done says that the file ends in them.
func (r *reader) head(line string, ended bool) (done bool, err error) {
	if r.lineCount == 1 {
		switch {
		case ended && line+"\n" == headLine2:
			return false, nil
		case !ended && (strings.HasPrefix(headLine2, line) || strings.HasPrefix(headLine1, line)):
			return true, nil // a crash while the journal was begun
		}
		return true, r.corrupt(1, "not a journal of format 1 or 2")
	}
	number, continues, ok := parseHead(line)
	switch {
	case !ended:
		return true, nil
	case !ok:
		return true, r.corrupt(2, "not the head of a journal")
	}
	r.format, r.number, r.continues = 2, number, continues
	h := head(number, continues)
	r.good, r.last = int64(len(h)), continues.link([]byte(h))
	r.claimed = r.last
	return false, nil
}

// end checks a batch.
func (r *reader) end(written string) error {
	line := "=" + written + "\n"
	h, ok := parseHash(written)
	fits := ok && len(r.batch) > 0 && r.claimed.link(r.batch) == h
	if fits && r.damage > 0 {
		return r.corrupt(r.damage, "the batch does not fit its hash, but good ones follow")
	}
	if !fits && r.damage == 0 {
		r.damage = max(r.from, 3)
	}
	r.claimed = h
	if r.damage > 0 {
		r.batch = r.batch[:0]
		return nil
	}
	r.good += int64(len(r.batch) + len(line))
	r.last = h
	if r.keep {
		r.hashes = append(r.hashes, h)
	}
	n := r.from
	for l := range bytes.Lines(r.batch) {
		e, is, err := r.text.decode(string(bytes.TrimSuffix(l, []byte("\n"))))
		if err != nil {
			return r.corrupt(n, err.Error()+": written by another version?")
		}
		n++
		if !is {
			continue
		}
		r.entries++
		if !r.stopped && !r.yield(e) {
			r.stopped = true
		}
	}
	r.batch = r.batch[:0]
	return nil
}

// Read calls yield with every entry of a journal's file, oldest first, until it
// returns false. It needs no lock, so it can look at the journal of a running
// program; an unfinished end is left out. name is for errors.
func Read(name string, r io.Reader, yield func(schoolmail.JournalEntry) bool) error {
	_, err := read(name, r, false, yield)
	return err
}
