package journal

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail"
)

// written makes a journal with these batches and returns its path and bytes.
func written(t *testing.T, batches ...[]schoolmail.JournalEntry) (string, []byte) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "journal")
	j, err := Open(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := j.Append(b...); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, data
}

func effect(step, subject, effect string, p schoolmail.JournalPhase, second int) schoolmail.JournalEntry {
	return schoolmail.JournalEntry{Time: time.Date(2026, 8, 10, 2, 0, second, 0, time.UTC), Plan: "3f2a90c1d7e4",
		Step: step, Subject: subject, Effect: effect, Phase: p}
}

// newcomer is what Apply writes for a new account.
func newcomer(i int) [][]schoolmail.JournalEntry {
	step, name := fmt.Sprintf("create:escada/%06d", 100000+i), fmt.Sprintf("anna.muster%d", i)
	e := func(name2 string, p schoolmail.JournalPhase, s int) schoolmail.JournalEntry {
		return effect(step, name, name2, p, s)
	}
	return [][]schoolmail.JournalEntry{
		{e("create-account", schoolmail.Intent, i)},
		{e("create-account", schoolmail.Done, i+1), e("ensure-user", schoolmail.Intent, i+1)},
		{e("ensure-user", schoolmail.Done, i+2), e("ensure-mailbox", schoolmail.Intent, i+2)},
		{e("ensure-mailbox", schoolmail.Done, i+3), e("activate-account", schoolmail.Intent, i+3)},
		{e("activate-account", schoolmail.Done, i+4), e("step", schoolmail.Done, i+4)},
	}
}

func TestFormat2(t *testing.T) {
	t.Parallel()
	odd := effect("transfer:escada/Ä 1", "a b", "odd effect", schoolmail.Failed, 1)
	odd.From, odd.To, odd.UserID, odd.Error, odd.Plan = 20, 30, 17, "line\nbreak \"ü\"", ""
	_, data := written(t, newcomer(0)[0], newcomer(0)[1], []schoolmail.JournalEntry{odd})
	var lines []string
	for l := range strings.Lines(string(data)) {
		if strings.HasPrefix(l, "=") {
			l = "=\n"
		}
		lines = append(lines, l)
	}
	want := `# schoolmail journal, format 2
# file 1
@1786327200
p 3f2a90c1d7e4
1=create:escada/100000 anna.muster0
1 create-account?
=
+1
1 create-account.
1 ensure-user?
=
p ""
2="transfer:escada/Ä 1" "a b"
2 "odd effect"! from=20 to=30 user=17 error="line\nbreak \"ü\""
=
`
	if diff := cmp.Diff(want, strings.Join(lines, "")); diff != "" {
		t.Error(diff)
	}
}

// A newcomer costs at most 500 bytes, the chain included, even if nobody else is
// worked on at the same time.
func TestBytesPerNewcomer(t *testing.T) {
	t.Parallel()
	var batches [][]schoolmail.JournalEntry
	const n = 200
	for i := range n {
		batches = append(batches, newcomer(5*i)...)
	}
	_, data := written(t, batches...)
	if per := len(data) / n; per > 500 {
		t.Errorf("%d bytes per newcomer", per)
	}
}

// A file cut anywhere gives all batches that were whole, no part of another, says
// how much was cut off, and can be continued.
func TestTornAtEveryByte(t *testing.T) {
	t.Parallel()
	_, data := written(t, newcomer(0)[:4]...)
	path := filepath.Join(t.TempDir(), "journal")
	for n := range len(data) + 1 {
		for _, tail := range []string{"", "\x00\x00\x00", "\x00\n\x00\n", "garbage\n",
			"1 step.\n=" + strings.Repeat("A", 43) + "\n"} {
			headEnd := len(head(1, hash{}))
			if tail != "" && (n < headEnd || n%7 != 0 && n != len(data)) {
				continue
			}
			if err := os.WriteFile(path, append(bytes.Clone(data[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			j, err := Open(path, nil)
			if err != nil {
				t.Fatalf("cut after %d bytes, then %q: %v", n, tail, err)
			}
			whole := bytes.Count(data[:n], []byte("\n="))
			if i := bytes.LastIndex(data[:n], []byte("\n=")); i >= 0 && !bytes.Contains(data[i+1:n], []byte("\n")) {
				whole-- // the hash itself is cut
			}
			entries := max(0, 2*whole-1)
			got := all(t, j)
			if len(got) != entries {
				t.Fatalf("cut after %d bytes, then %q: %d entries, want %d", n, tail, len(got), entries)
			}
			end := 0
			if n >= headEnd {
				end = headEnd
			}
			for range whole {
				end += bytes.Index(data[end:], []byte("\n=")) + 2
				end += bytes.IndexByte(data[end:], '\n') + 1
			}
			if want := int64(n + len(tail) - end); j.Recovered() != want {
				t.Fatalf("cut after %d bytes, then %q: recovered %d, want %d", n, tail, j.Recovered(), want)
			}
			e := effect("create:escada/9", "z", "create-account", schoolmail.Intent, 50)
			err = j.Append(e)
			got = all(t, j)
			if err = errors.Join(err, j.Close()); err != nil || len(got) != entries+1 || !cmp.Equal(got[entries], e) {
				t.Fatalf("cut after %d bytes, then %q: continued with %v, %v", n, tail, got, err)
			}
			if _, err := Verify(path); err != nil {
				t.Fatalf("cut after %d bytes, then %q: %v", n, tail, err)
			}
		}
	}
}

// Nothing can be changed, removed, added or put elsewhere in the middle without a
// trace; a damaged journal is refused as it is, with what to do.
func TestDamaged(t *testing.T) {
	t.Parallel()
	_, data := written(t, append(newcomer(0), newcomer(1)...)...)
	text := string(data)
	lines := strings.SplitAfter(text, "\n")
	without := func(i, j int) string { return strings.Join(lines[:i], "") + strings.Join(lines[j:], "") }
	const chain = "the batch does not fit its hash, but good ones follow"
	for _, tt := range []struct {
		name, data string
		line       int
		want       string
	}{
		{"flipped letter", strings.Replace(text, "anna", "anne", 1), 3, chain},
		{"another effect", strings.Replace(text, "ensure-user?", "delete-user?", 1), 8, chain},
		{"lost line", without(7, 8), 8, chain},
		{"lost batch", without(7, 11), 8, chain},
		{"first batch lost", without(2, 7), 3, chain},
		{"double batch", strings.Join(lines[:11], "") + strings.Join(lines[7:], ""), 12, chain},
		{"zeros", strings.Join(lines[:7], "") + strings.Repeat("\x00", 100) + "\n" + strings.Join(lines[8:], ""), 8, chain},
		{"hash without a batch", strings.Join(lines[:7], "") + lines[6] + strings.Join(lines[7:], ""), 3, chain},
		{"head of another file", strings.Replace(text, "# file 1", "# file 2", 1), 3, chain},
		{"no number", strings.Replace(text, "# file 1", "# file one", 1), 2, "not the head of a journal"},
		{"other format", strings.Replace(text, "format 2", "format 3", 1), 1, "not a journal of format 1 or 2"},
		{"other file", "hello\n", 1, "not a journal of format 1 or 2"},
		{"no line end", "hello", 1, "not a journal of format 1 or 2"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.data == text {
				t.Fatal("nothing was damaged")
			}
			path := filepath.Join(t.TempDir(), "journal")
			if err := os.WriteFile(path, []byte(tt.data), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path, nil)
			e, ok := errors.AsType[*CorruptError](err)
			if !ok || e.Line != tt.line || e.Reason != tt.want || e.Name != path ||
				!strings.Contains(err.Error(), "Restore the file from a backup") {
				t.Fatalf("error %v", err)
			}
			if after, err := os.ReadFile(path); err != nil || string(after) != tt.data {
				t.Errorf("the damaged file was changed (%v)", err)
			}
			if _, err := Open(path, nil); errors.Is(err, ErrLocked) {
				t.Error("the refused journal is still locked")
			}
		})
	}
}

// fill1 makes a journal of format 1.
func fill1(t *testing.T, path string, entries ...string) {
	t.Helper()
	data := headLine1
	for i, e := range entries {
		data += fmt.Sprintf("%d %08x %s\n", i+1, checksum(uint64(i+1), []byte(e)), e)
	}
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Rotating and carrying format 1 on lose nothing that is proof.
func TestRotate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "journal.jsonl")
	fill1(t, path,
		`{"time":"2026-08-10T02:00:00Z","plan":"p1","effect":"plan","phase":"intent"}`,
		`{"time":"2026-08-10T02:00:01Z","plan":"p1","step":"transfer:escada/1","effect":"copy-user","phase":"intent",`+
			`"subject":"ida.abel","from":20,"to":30}`,
		`{"time":"2026-08-10T02:00:02Z","plan":"p1","step":"transfer:escada/1","effect":"copy-user","phase":"done",`+
			`"subject":"ida.abel","from":20,"to":30,"user_id":17}`,
		`{"time":"2026-08-10T02:00:03Z","plan":"p1","step":"change:escada/2","effect":"step","phase":"done",`+
			`"subject":"beat"}`,
		`{"time":"2026-08-10T02:00:04Z","plan":"p1","step":"notice:escada/3","effect":"send-notice","phase":"done",`+
			`"subject":"carla"}`)
	first, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(all(t, OpenReader(path, nil))); n != 5 {
		t.Errorf("looked at before: %d entries", n)
	}
	check := func(j schoolmail.Journal, plan string) {
		t.Helper()
		h, err := schoolmail.ReadHistory(j)
		if err != nil {
			t.Fatal(err)
		}
		want := []schoolmail.Leftover{{Username: "ida.abel", Context: 30, UserID: 17}}
		if diff := cmp.Diff(want, h.Leftovers()); diff != "" || !h.Begun(plan) || !h.Applied("p1") || h.Applied("p9") ||
			h.Empty() || h.Copying() {
			t.Errorf("begun %v, applied %v, empty %v, copying %v\n%s", h.Begun(plan), h.Applied("p1"), h.Empty(), h.Copying(),
				diff)
		}
	}
	j := open(t, path)
	check(j, "p1")
	closed, err := os.Open(closedName(path, 1))
	if err != nil {
		t.Fatal(err)
	}
	defer closed.Close()
	z, err := gzip.NewReader(closed)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, first) {
		t.Errorf("what was closed differs: %v", err)
	}
	hashes := []string{j.Hash()}
	plan := func(id string, p schoolmail.JournalPhase, day int) {
		t.Helper()
		e := schoolmail.JournalEntry{Time: time.Date(2026, 8, 10+day, 2, 0, 0, 0, time.UTC), Plan: id, Effect: "plan",
			Phase: p}
		if err := j.Append(e); err != nil {
			t.Fatal(err)
		}
	}
	plan("p1", schoolmail.Done, 0)
	for day := range 20 {
		id := fmt.Sprint("q", day)
		plan(id, schoolmail.Intent, day+1)
		for i := range 50 {
			for _, b := range newcomer(i) {
				for k := range b {
					b[k].Plan, b[k].Time = id, time.Date(2026, 8, 11+day, 2, 0, i, 0, time.UTC)
				}
				if err := j.Append(b...); err != nil {
					t.Fatal(err)
				}
			}
		}
		if day < 19 {
			plan(id, schoolmail.Done, day+1)
		}
		hashes = append(hashes, j.Hash())
		if err := j.Rotate(); err != nil {
			t.Fatal(err)
		}
		hashes = append(hashes, j.Hash())
	}
	check(j, "q19")
	if j.Size() > 8000 {
		t.Errorf("the open file begins with %d bytes", j.Size())
	}
	rep, err := Verify(path, hashes...)
	if err != nil || rep.Files != 22 || rep.Entries < 20*50*9 || len(rep.Missing) != 0 || rep.Tail != 0 {
		t.Errorf("%+v, %v", rep, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	check(open(t, path), "q19")
	check(OpenReader(path, nil), "q19")
}

// Whatever is done to closed files or to the end of the journal shows.
func TestVerify(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		harm func(path string) error
		want string // of a CorruptError; "": one of the hashes is missing
	}{
		{"nothing", func(string) error { return nil }, "fine"},
		{"a closed file is gone", func(path string) error { return os.Remove(closedName(path, 2)) }, "does not continue"},
		{"a closed file in the place of another", func(path string) error {
			return os.Rename(closedName(path, 1),
				closedName(path, 2))
		}, "does not continue"},
		{"a closed file is cut off", func(path string) error { return os.Truncate(closedName(path, 1), 40) }, "it can"},
		{"the last batch is cut off", func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			i := bytes.LastIndex(b[:len(b)-1], []byte("\n="))
			i = bytes.LastIndex(b[:i], []byte("\n="))
			return os.Truncate(path, int64(i+1+bytes.IndexByte(b[i+1:], '\n')+1))
		}, ""},
		{"the journal begins anew", func(path string) error {
			for _, f := range []string{path, closedName(path, 1), closedName(path, 2)} {
				if err := os.Remove(f); err != nil {
					return err
				}
			}
			j, err := Open(path, nil)
			if err != nil {
				return err
			}
			return j.Close()
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "journal")
			j, err := Open(path, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 3 {
				for _, b := range newcomer(i) {
					if err := j.Append(b...); err != nil {
						t.Fatal(err)
					}
				}
				if i < 2 {
					if err := j.Rotate(); err != nil {
						t.Fatal(err)
					}
				}
			}
			hash := j.Hash()
			if err := errors.Join(j.Close(), tt.harm(path)); err != nil {
				t.Fatal(err)
			}
			rep, err := Verify(path, hash)
			e, corrupt := errors.AsType[*CorruptError](err)
			switch {
			case tt.want == "fine" && (err != nil || len(rep.Missing) > 0):
				t.Errorf("%+v, %v", rep, err)
			case tt.want == "" && (err != nil || len(rep.Missing) != 1):
				t.Errorf("%+v, %v", rep, err)
			case tt.want != "fine" && tt.want != "" && (!corrupt || !strings.Contains(e.Reason, tt.want)):
				t.Errorf("%v", err)
			}
		})
	}
}

// A crash between closing one file and beginning the next leaves the old one open,
// and rotating again does the same.
func TestCrashWhileRotating(t *testing.T) {
	t.Parallel()
	path, _ := written(t, newcomer(0)...)
	if err := os.WriteFile(closedName(path, 1), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	j := open(t, path)
	if n := len(all(t, j)); n != 9 {
		t.Errorf("%d entries", n)
	}
	if err := j.Rotate(); err != nil {
		t.Fatal(err)
	}
	if rep, err := Verify(path); err != nil || rep.Files != 2 {
		t.Errorf("%+v, %v", rep, err)
	}
	if err := j.Append(newcomer(1)[0]...); err != nil {
		t.Fatal(err)
	}
}

// FuzzRead reads anything: no panic, and what was read can be written and read
// again.
func FuzzRead(f *testing.F) {
	var t text
	batch := t.encode(nil, &newcomer(0)[0][0])
	h := head(1, hash{})
	f.Add([]byte(h))
	f.Add(fmt.Appendf([]byte(h+string(batch)), "=%s\n", hash{}.link([]byte(h)).link(batch)))
	f.Add([]byte(headLine1 + "1 e5baa6f1 {\"time\":\"2026-08-10T02:00:00Z\"}\n"))
	f.Add([]byte(headLine1[:9]))
	f.Fuzz(func(t *testing.T, data []byte) {
		var list []schoolmail.JournalEntry
		c, err := read("x", bytes.NewReader(data), true, func(e schoolmail.JournalEntry) bool {
			list = append(list,
				e)
			return true
		})
		if c.good < 0 || c.good > int64(len(data)) {
			t.Fatalf("good part of %d bytes of %d", c.good, len(data))
		}
		if err != nil {
			if e, ok := errors.AsType[*CorruptError](err); !ok || e.Line < 1 || e.Line > bytes.Count(data, []byte("\n"))+1 {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := read("x", bytes.NewReader(data[:c.good]), true, func(schoolmail.JournalEntry) bool { return true })
		if err != nil || again.good != c.good || again.entries != c.entries || len(list) != c.entries ||
			again.last != c.last {
			t.Fatalf("the good part reads as %+v, %v; was %+v", again, err, c)
		}
	})
}

// FuzzEntry writes any entry and reads it back.
func FuzzEntry(f *testing.F) {
	f.Add("create:escada/1", "anna.muster", "create-account", "p1", "", int64(1786327200), 0, 0, 0)
	f.Add("", " \"=?", "a=b c!", "", "\x00\n", int64(-5), 1, 2, 3)
	f.Fuzz(func(t *testing.T, step, subject, name, plan, failure string, second int64, from, to, user int) {
		e := schoolmail.JournalEntry{Time: time.Unix(second%1e11, 0).UTC(), Plan: plan, Step: step, Effect: name,
			Phase:   schoolmail.Failed,
			Subject: subject, From: schoolmail.ContextID(from), To: schoolmail.ContextID(to), UserID: schoolmail.UserID(user),
			Error: failure}
		if check(&e) != nil {
			return
		}
		var out, in text
		var got []schoolmail.JournalEntry
		for line := range strings.Lines(string(out.encode(out.encode(nil, &e), &e))) {
			d, is, err := in.decode(strings.TrimSuffix(line, "\n"))
			if err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if is {
				got = append(got, d)
			}
		}
		// What is no text is written as one.
		for _, s := range []*string{&e.Plan, &e.Step, &e.Effect, &e.Subject, &e.Error} {
			*s = strings.ToValidUTF8(*s, "\ufffd")
		}
		if len(got) != 2 {
			t.Fatalf("%d entries", len(got))
		}
		for i := range got {
			for _, s := range []*string{&got[i].Plan, &got[i].Step, &got[i].Effect, &got[i].Subject, &got[i].Error} {
				*s = strings.ToValidUTF8(*s, "\ufffd")
			}
			if diff := cmp.Diff(e, got[i]); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "journal")
	j, err := Open(path, nil)
	if err != nil {
		b.Fatal(err)
	}
	j.out = noSync{j.file}
	for i := range 11_000 {
		for _, batch := range newcomer(i) {
			if err := j.Append(batch...); err != nil {
				b.Fatal(err)
			}
		}
	}
	size := j.Size()
	if err := j.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	for b.Loop() {
		j, err := Open(path, nil)
		if err != nil || j.Len() != 99_000 {
			b.Fatal(err)
		}
		if err := j.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

type noSync struct{ *os.File }

func (noSync) Sync() error { return nil }

// An entry of format 1 whose checksum is not its own is not believed: at the end it
// counts as never finished, before others as damage.
func TestDamagedEntryOfFormat1(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "journal.jsonl")
	fill1(t, path, `{"plan":"p1","effect":"plan","phase":"intent"}`,
		`{"plan":"p1","step":"change:escada/2","effect":"step","phase":"done","subject":"beat"}`)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, old, new string
		entries        int
		damage         string
	}{
		{"whole", "", "", 2, ""},
		{"the last", "beat", "beau", 1, ""},
		{"the last, its number", "\n2 ", "\n3 ", 1, ""},
		{"the last, its end", "}\n", "}", 1, ""},
		{"the first", "intent", "intend", 0, ":2: damaged: wrong checksum, but good entries follow"},
		{"the first is gone", string(bytes.SplitAfter(whole, []byte("\n"))[1]), "", 0, ":2: damaged: entry 2 after entry 0"},
	} {
		file := filepath.Join(dir, "damaged.jsonl")
		at := bytes.LastIndex(whole, []byte(c.old))
		text := append(bytes.Clone(whole[:at]), append([]byte(c.new), whole[at+len(c.old):]...)...)
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		n := 0
		good, err := scanFile(file, func() { n++ })
		_, damaged := errors.AsType[*CorruptError](err)
		if damaged != (c.damage != "") || n != c.entries || err != nil && !strings.Contains(err.Error(), c.damage) {
			t.Errorf("%s: %d entries, %v", c.name, n, err)
		}
		if !damaged && !bytes.HasSuffix(text[:good], []byte("\n")) {
			t.Errorf("%s: the good part ends within a line", c.name)
		}
	}
}

func scanFile(file string, each func()) (good int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return readFormat1(file, f, func(schoolmail.JournalEntry) bool { each(); return true })
}

// lost names cannot be read.
type lost struct{ hide, show error }

func (l lost) Hide(*schoolmail.JournalEntry) error { return l.hide }
func (l lost) Show(*schoolmail.JournalEntry) error { return l.show }

// TestNothingIsWrittenOfWhomNobodyCanHide: without the names of people an entry is
// neither written, with the name in it, nor read as if it were somebody else's.
func TestNothingIsWrittenOfWhomNobodyCanHide(t *testing.T) {
	t.Parallel()
	unreadable := errors.New("unreadable")
	path, before := written(t, newcomer(0)[0])
	j, err := Open(path, &Options{Names: lost{hide: unreadable}})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Append(newcomer(1)[0]...); !errors.Is(err, unreadable) {
		t.Errorf("appended: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || !bytes.Equal(after, before) {
		t.Errorf("the journal holds %q (%v)", after, err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	opts := &Options{Names: lost{show: unreadable}}
	one := func(schoolmail.JournalEntry) bool { t.Error("an entry without its name"); return true }
	if err := OpenReader(path, opts).Entries(one); !errors.Is(err, unreadable) {
		t.Errorf("read: %v", err)
	}
	if err := ReadAll(path, one, opts); !errors.Is(err, unreadable) {
		t.Errorf("all read: %v", err)
	}
	if j, err = Open(path, opts); err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if err := j.Entries(one); !errors.Is(err, unreadable) {
		t.Errorf("read of the open one: %v", err)
	}
	if err := j.Rotate(); !errors.Is(err, unreadable) {
		t.Errorf("rotated: %v", err)
	}
}
