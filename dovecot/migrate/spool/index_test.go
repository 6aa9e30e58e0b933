package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// layout is what the versions' definitions (imap/mailbox.h of the releases)
// say of sizes.
type layout struct {
	version, header, record uint32
	crc                     bool
}

var layouts = map[string]layout{
	"2.3.0": {9, 96, 80, false},
	"2.3":   {10, 96, 88, false},
	"2.4":   {12, 128, 96, true},
	"2.5":   {13, 128, 104, true},
	"3.6":   {17, 160, 112, true},
}

// writeIndex makes a cyrus.index.
func writeIndex(l layout, h indexHeader, records []record) []byte {
	b := make([]byte, l.header)
	at := binary.BigEndian.PutUint32
	at(b[8:], l.version)
	at(b[12:], l.header)
	at(b[16:], l.record)
	at(b[20:], uint32(len(records)))
	at(b[28:], h.lastUID)
	at(b[44:], h.uidValidity)
	at(b[60:], h.options)
	if l.crc {
		at(b[l.header-4:], crc32.ChecksumIEEE(b[:l.header-4]))
	}
	for _, r := range records {
		e := make([]byte, l.record)
		at(e[0:], r.uid)
		at(e[4:], uint32(r.date))
		at(e[12:], r.size)
		at(e[32:], r.flags)
		for i, k := range r.keywords {
			at(e[36+4*i:], k)
		}
		if l.crc {
			copy(e[60:], r.sha1[:])
			at(e[l.record-4:], crc32.ChecksumIEEE(e[:l.record-4]))
		}
		b = append(b, e...)
	}
	return b
}

func readIndex(b []byte) (h indexHeader, out []record, errs []error) {
	x, err := newIndexReader(iotest.HalfReader(bytes.NewReader(b)))
	if err != nil {
		return h, nil, []error{err}
	}
	for {
		r, err := x.next()
		if err == io.EOF {
			return x.h, out, errs
		}
		if err != nil {
			errs = append(errs, err)
			if _, ok := errors.AsType[*errRecord](err); ok {
				continue
			}
			return x.h, out, errs
		}
		out = append(out, r)
	}
}

func TestIndexVersions(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := indexHeader{lastUID: 900, uidValidity: 1234567890, options: 1}
			records := []record{
				{uid: 1, date: 1580634000, size: 10, flags: bitAnswered, keywords: [4]uint32{1, 0, 0, 1 << 31}},
				{uid: 7, date: 1, size: 1 << 31, flags: bitDeleted | bitDraft | bitFlagged},
				{uid: 900, date: 1<<32 - 1},
			}
			if l.crc {
				records[0].sha1 = [20]byte{1, 19: 2}
				records[1].flags |= bitSeen | bitExpunged
			}
			got, out, errs := readIndex(writeIndex(l, h, records))
			if len(errs) > 0 {
				t.Fatal(errs)
			}
			h.version, h.headerSize, h.recordSize, h.records = l.version, l.header, l.record, 3
			if got != h || got.seenInIndex() != l.crc {
				t.Errorf("header %+v, want %+v", got, h)
			}
			if d := cmp.Diff(records, out, cmp.AllowUnexported(record{})); d != "" {
				t.Error(d)
			}
			if !out[0].has(0) || !out[0].has(127) || out[0].has(126) || out[1].gone() != l.crc {
				t.Error("bits")
			}
		})
	}
}

func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	l := layouts["3.6"]
	records := []record{{uid: 1}, {uid: 2}, {uid: 3}}
	h := indexHeader{lastUID: 3, uidValidity: 1}
	change := func(f func(b []byte) []byte) []byte { return f(writeIndex(l, h, records)) }
	for name, c := range map[string]struct {
		in   []byte
		n    int // readable records
		errs []string
	}{
		"empty":             {nil, 0, []string{"0 bytes are no index"}},
		"cut header":        {change(func(b []byte) []byte { return b[:100] }), 0, []string{"the header is cut off"}},
		"bit in the header": {change(func(b []byte) []byte { b[30] ^= 1; return b }), 0, []string{"checksum of the header"}},
		"version": {change(func(b []byte) []byte { b[11] = 20; return b }), 0,
			[]string{"unknown version of cyrus.index: 20"}},
		"record size": {change(func(b []byte) []byte { b[19] = 8; return b }), 0, []string{"records of 8 bytes"}},
		"huge header": {change(func(b []byte) []byte { b[12] = 0xff; return b }), 0, []string{"header of 4278190240"}},
		"bit in a record": {change(func(b []byte) []byte { b[160+112+5] ^= 1; return b }), 2,
			[]string{"record 2: damaged: checksum of the record"}},
		"cut record":    {change(func(b []byte) []byte { return b[:len(b)-1] }), 2, []string{"2 of 3 records are there"}},
		"not ascending": {writeIndex(l, h, []record{{uid: 2}, {uid: 2}, {uid: 3}}), 2, []string{"UID 2 after 2"}},
		"beyond the last": {writeIndex(l, indexHeader{lastUID: 2, uidValidity: 1}, records), 2,
			[]string{"UID 3 beyond the last one, 2"}},
		"no validity": {writeIndex(l, indexHeader{lastUID: 3}, records), 0, []string{"UIDVALIDITY 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, out, errs := readIndex(c.in)
			if len(out) != c.n || len(errs) != len(c.errs) {
				t.Fatalf("%d records, %v", len(out), errs)
			}
			for i, want := range c.errs {
				if !strings.Contains(errs[i].Error(), want) || !errors.Is(errs[i], ErrDamaged) && !errors.Is(errs[i], ErrVersion) {
					t.Errorf("error %v, want %s", errs[i], want)
				}
			}
		})
	}
}

func FuzzIndex(f *testing.F) {
	for _, l := range layouts {
		f.Add(writeIndex(l, indexHeader{lastUID: 3, uidValidity: 1}, []record{{uid: 1}, {uid: 3}}))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, out, errs := readIndex(b)
		last := uint32(0)
		for _, r := range out {
			if r.uid <= last || r.uid > h.lastUID {
				t.Fatalf("UID %d after %d, last %d", r.uid, last, h.lastUID)
			}
			last = r.uid
		}
		for _, err := range errs {
			if !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
				t.Fatalf("untyped error %v", err)
			}
		}
	})
}

func FuzzMailboxHeader(f *testing.F) {
	f.Add([]byte(headerMagic + "\n\nuser.anna\t4f2b1c\n$Label1 NonJunk\nanna\tlrs\t\n"))
	f.Add([]byte(headerMagic + "\n\n%(T e N user.anna.A I x1 A %(anna lrs) U ($Label1 NIL \"a b\" {1+}\r\nx))\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseMailboxHeader(b)
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("untyped error %v", err)
		}
		if err == nil && len(h.keywords) > 128 {
			t.Fatalf("%d keywords", len(h.keywords))
		}
	})
}

// skiplist writes the additions in a form that parseSkiplist is told of: a
// checkpoint, then a log.
func skiplist(checkpoint [][2]string, log ...any) []byte {
	b := make([]byte, skiplistHeader)
	copy(b, skiplistMagic)
	at := binary.BigEndian
	at.PutUint32(b[20:], 1)
	text := func(s string) {
		b = at.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
		for len(b)%4 != 0 {
			b = append(b, 0)
		}
	}
	entry := func(kind uint32, k, v string, pointers ...uint32) int {
		off := len(b)
		b = at.AppendUint32(b, kind)
		text(k)
		text(v)
		for _, p := range append(pointers, 1<<32-1) {
			b = at.AppendUint32(b, p)
		}
		return off
	}
	entry(skiplistDummy, "", "", make([]uint32, 20)...)
	offsets := map[string]int{}
	for _, kv := range checkpoint {
		offsets[kv[0]] = entry(skiplistInOrder, kv[0], kv[1], 0, 0)
	}
	at.PutUint32(b[40:], uint32(len(b)))
	for _, l := range log {
		switch l := l.(type) {
		case [2]string:
			offsets[l[0]] = entry(skiplistAdd, l[0], l[1], 0)
		case string: // deletion
			b = at.AppendUint32(b, skiplistDelete)
			b = at.AppendUint32(b, uint32(offsets[l]))
		case nil:
			b = at.AppendUint32(b, skiplistCommit)
		}
	}
	return b
}

func TestParseDB(t *testing.T) {
	t.Parallel()
	check := [][2]string{{"a", "1"}, {"bcd", "12345"}}
	whole := skiplist(check, [2]string{"e", "x"}, nil, "a", nil, [2]string{"late", "y"})
	for name, c := range map[string]struct {
		in   []byte
		want map[string]string
		bad  bool
	}{
		"flat": {[]byte("user.anna\t\nuser.anna.A\tx\ty\n"),
			map[string]string{"user.anna": "", "user.anna.A": "x\ty"}, false},
		"empty":             {nil, map[string]string{}, false},
		"no flat":           {[]byte("hello\n"), nil, true},
		"twoskip":           {[]byte("\241\002\213\015twoskip file\x00\x00\x00\x00"), nil, true},
		"checkpoint":        {skiplist(check), map[string]string{"a": "1", "bcd": "12345"}, false},
		"log, uncommitted":  {whole, map[string]string{"bcd": "12345", "e": "x"}, false},
		"torn":              {whole[:len(whole)-7], map[string]string{"bcd": "12345", "e": "x"}, false},
		"torn before":       {skiplist(check, [2]string{"e", "x"}, nil)[:48+100], map[string]string{}, false},
		"unknown record":    {append(skiplist(check), 0, 0, 0, 9), nil, true},
		"skiplist of later": {bytes.Replace(skiplist(check), []byte{0, 0, 0, 1}, []byte{0, 0, 0, 7}, 1), nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := parseDB(c.in)
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if d := cmp.Diff(c.want, got); !c.bad && d != "" {
				t.Error(d)
			}
		})
	}
}

func TestParseSeen(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"1 1580634000 17 1580634000 1:5,7,9:12": "1:5,7,9:12",
		"1 1580634000 17 1580634000 ":           "",
		"1 1580634000 17 1580634000 4":          "4",
		"1 0 0 0 5:3":                           "damaged",
		"1 0 0 0 3,2":                           "damaged",
		"1 0 0 0 1:*":                           "damaged",
		"2 0 0 0 1":                             "damaged",
		"":                                      "damaged",
	} {
		set, err := parseSeen(in)
		got := set.String()
		if err != nil {
			got = "damaged"
		}
		if got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func FuzzDB(f *testing.F) {
	f.Add(skiplist([][2]string{{"a", "1"}}, [2]string{"e", "1 2 3 4 5:6"}, nil, "a", nil))
	f.Add([]byte("user.anna\t1 2 3 4 5:6\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		keys, err := parseDB(b)
		if err != nil {
			return
		}
		for _, v := range keys {
			if set, err := parseSeen(v); err == nil && set.Contains(0) {
				t.Fatal("UID 0")
			}
		}
	})
}

func FuzzUIDList(f *testing.F) {
	f.Add("3 V5 N4 Gabc\n1 :1.x.y\n3 W12 S10 :2.x.y\n")
	f.Add("3 V5 N4\n1 :1.x.y\n2 :2.x")
	f.Fuzz(func(t *testing.T, text string) {
		l := uidlist{}
		last := uint32(0)
		err := l.parse(strings.NewReader(text), func(uid uint32, base string) {
			if uid <= last || base == "" || strings.ContainsAny(base, ":\n") {
				t.Fatalf("entry %d %q after %d", uid, base, last)
			}
			last = uid
		})
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if l.next <= last && last < 1<<32-1 || l.validity == 0 {
			t.Fatalf("%+v, last %d", l, last)
		}
		again := uidlist{}
		if err := again.parse(strings.NewReader(l.headerLine()), nil); err != nil || again.validity != l.validity ||
			again.next != l.next {
			t.Fatalf("header %q: %+v, %v", l.headerLine(), again, err)
		}
	})
}
