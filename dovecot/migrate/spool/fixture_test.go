package spool

import (
	"crypto/sha1"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// fake is a mailbox that the test writes in the layout of a version.
type fake struct {
	folder   string // "" for INBOX, "A.B"
	validity uint32
	next     uint32
	keywords []string
	msgs     []fakeMessage
}

type fakeMessage struct {
	uid     uint32
	date    int64
	flags   []string // in the form of [run.flags]
	text    string
	gone    bool // expunged and not yet removed
	noFile  bool
	badSize bool
}

func (b *fake) add(text string, flags ...string) {
	if b.next == 0 {
		b.next = 1
	}
	b.msgs = append(b.msgs, fakeMessage{uid: b.next, date: 1580000000 + int64(b.next), flags: flags, text: text})
	b.next++
}

const fakeID = "4f2b1c0a5d3e0000"

// write makes or replaces the mailbox below root, in the tree by name.
func (b *fake) write(tb testing.TB, root, user string, l layout) {
	tb.Helper()
	dir := filepath.Join(root, "user", user, filepath.Join(strings.Split(b.folder, ".")...))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	var records []record
	keep := map[string]bool{}
	for _, m := range b.msgs {
		r := record{uid: m.uid, date: m.date, size: uint32(len(m.text)), sha1: sha1.Sum([]byte(m.text))}
		if m.badSize {
			r.size++
		}
		if m.gone && l.crc {
			r.flags |= bitExpunged
		} else if m.gone {
			continue // before 2.4 it moves to cyrus.expunge
		}
		for _, f := range m.flags {
			i := slices.IndexFunc(systemFlags, func(s struct {
				bit    uint32
				name   string
				letter byte
			}) bool {
				return s.name == f
			})
			if i >= 0 && (l.crc || f != `\Seen`) {
				r.flags |= systemFlags[i].bit
			} else if i < 0 {
				n := slices.Index(b.keywords, f)
				if n < 0 {
					n = len(b.keywords)
					b.keywords = append(b.keywords, f)
				}
				r.keywords[n/32] |= 1 << (n % 32)
			}
		}
		records = append(records, r)
		if !m.noFile {
			name := fmt.Sprintf("%d.", m.uid)
			keep[name] = true
			if err := os.WriteFile(filepath.Join(dir, name), []byte(m.text), 0o600); err != nil {
				tb.Fatal(err)
			}
		}
	}
	old, _ := filepath.Glob(filepath.Join(dir, "[0-9]*."))
	for _, f := range old {
		if !keep[filepath.Base(f)] {
			os.Remove(f)
		}
	}
	head := headerMagic + "\"The best thing about this system was that it had lots of goals.\"\n" +
		"\t--Jim Morris on Andrew\n" +
		fmt.Sprintf("user.%s\t%s%s\n%s\n%s\tlrswipcda\t\n", user, fakeID, b.folder, strings.Join(b.keywords, " "), user)
	if err := os.WriteFile(filepath.Join(dir, "cyrus.header"), []byte(head), 0o600); err != nil {
		tb.Fatal(err)
	}
	stamp(tb, filepath.Join(dir, "cyrus.header"))
	index := writeIndex(l, indexHeader{lastUID: max(b.next, 1) - 1, uidValidity: b.validity}, records)
	if err := os.WriteFile(filepath.Join(dir, "cyrus.index"), index, 0o600); err != nil {
		tb.Fatal(err)
	}
	stamp(tb, filepath.Join(dir, "cyrus.index"))
}

var stamps atomic.Int64

// stamp gives a file a time of its own: two versions written at once could
// not be told apart by the clock of the file system.
func stamp(tb testing.TB, file string) {
	tb.Helper()
	at := time.Unix(1590000000+stamps.Add(1), 0)
	if err := os.Chtimes(file, at, at); err != nil {
		tb.Fatal(err)
	}
}

// seenDB writes what the user has read, as Cyrus 2.3 keeps it.
func seenDB(tb testing.TB, config, user string, skip bool, boxes ...*fake) {
	tb.Helper()
	dir := filepath.Join(config, "user", user[:1])
	if err := os.MkdirAll(dir, 0o700); err != nil {
		tb.Fatal(err)
	}
	var entries [][2]string
	var flat string
	for _, b := range boxes {
		var uids []string
		for _, m := range b.msgs {
			if slices.Contains(m.flags, `\Seen`) {
				uids = append(uids, fmt.Sprint(m.uid))
			}
		}
		e := [2]string{fakeID + b.folder, fmt.Sprintf("1 1580000000 %d 1580000000 %s", b.next, strings.Join(uids, ","))}
		entries = append(entries, e)
		flat += e[0] + "\t" + e[1] + "\n"
	}
	data := []byte(flat)
	if skip {
		data = skiplist(entries)
	}
	if err := os.WriteFile(filepath.Join(dir, user+".seen"), data, 0o600); err != nil {
		tb.Fatal(err)
	}
	stamp(tb, filepath.Join(dir, user+".seen"))
}

// lines is a mailbox in the form of readMaildir.
func (b *fake) lines() []string {
	var out []string
	for _, m := range b.msgs {
		if m.gone || m.noFile {
			continue
		}
		flags := slices.Clone(m.flags)
		slices.Sort(flags)
		out = append(out, fmt.Sprintf("%d %d %x %s", m.uid, m.date, sha1.Sum([]byte(m.text)), strings.Join(flags, " ")))
	}
	return append(out, fmt.Sprintf("V%d N%d", b.validity, max(b.next, 1)))
}

// readMaildir reads a Maildir folder by Dovecot's rules, strictly: every file
// has one entry in the uidlist, entries ascend.
func readMaildir(tb testing.TB, dir string) []string {
	tb.Helper()
	b, err := os.ReadFile(filepath.Join(dir, uidlistName))
	if err != nil {
		tb.Fatal(err)
	}
	keywords := map[byte]string{}
	kw, _ := os.ReadFile(filepath.Join(dir, keywordsName))
	for line := range strings.Lines(string(kw)) {
		var n int
		var name string
		fmt.Sscanf(line, "%d %s", &n, &name)
		keywords[byte('a'+n)] = name
	}
	uids := map[string]int{}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	var validity, next, last int
	var guid string
	if n, _ := fmt.Sscanf(lines[0], "3 V%d N%d G%s", &validity, &next, &guid); n != 3 || len(guid) != 32 ||
		!strings.HasSuffix(string(b), "\n") {
		tb.Fatalf("uidlist %q", b)
	}
	for _, line := range lines[1:] {
		var uid int
		var name string
		if n, err := fmt.Sscanf(line, "%d :%s", &uid, &name); n != 2 || uid <= last {
			tb.Fatalf("uidlist line %q after %d: %v", line, last, err)
		}
		if uids[name] != 0 {
			tb.Fatalf("%s has two entries", name)
		}
		uids[name], last = uid, uid
	}
	next = max(next, last+1)
	type found struct {
		uid  int
		line string
	}
	var all []found
	for _, sub := range maildirSubs {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if err != nil {
			tb.Fatal(err)
		}
		for _, e := range entries {
			if sub != "cur" {
				tb.Fatalf("%s/%s", sub, e.Name())
			}
			base, letters, ok := strings.Cut(e.Name(), ":2,")
			if !ok || uids[base] == 0 {
				tb.Fatalf("%s is not in the uidlist", e.Name())
			}
			text, err := os.ReadFile(filepath.Join(dir, sub, e.Name()))
			if err != nil {
				tb.Fatal(err)
			}
			virtual := len(text) + strings.Count(string(text), "\n") - strings.Count(string(text), "\r\n")
			if !strings.HasSuffix(base, fmt.Sprintf(",S=%d,W=%d", len(text), virtual)) {
				tb.Fatalf("%s: sizes are %d and %d", base, len(text), virtual)
			}
			var flags []string
			for i := range len(letters) {
				name := keywords[letters[i]]
				for _, s := range systemFlags {
					if s.letter == letters[i] {
						name = s.name
					}
				}
				if name == "" {
					tb.Fatalf("%s: unknown letter %c", e.Name(), letters[i])
				}
				flags = append(flags, name)
			}
			slices.Sort(flags)
			st, err := e.Info()
			if err != nil {
				tb.Fatal(err)
			}
			all = append(all, found{uids[base], fmt.Sprintf("%d %d %x %s", uids[base], st.ModTime().Unix(), sha1.Sum(text),
				strings.Join(flags, " "))})
		}
	}
	slices.SortFunc(all, func(a, b found) int { return a.uid - b.uid })
	var out []string
	for _, f := range all {
		out = append(out, f.line)
	}
	return append(out, fmt.Sprintf("V%d N%d", validity, next))
}

// world is a spool and a Maildir in temporary directories.
type world struct {
	root, config, state string
	acct                Account
	opt                 Options
}

func newWorld(tb testing.TB) *world {
	tb.Helper()
	dir := tb.TempDir()
	w := &world{root: filepath.Join(dir, "spool"), config: filepath.Join(dir, "conf"), state: filepath.Join(dir, "state"),
		acct: Account{Name: "anna", Maildir: filepath.Join(dir, "home", "Maildir")}}
	if err := os.Mkdir(filepath.Join(dir, "home"), 0o700); err != nil {
		tb.Fatal(err)
	}
	w.opt = Options{Now: later, NoSync: true}
	if os.Getuid() == 0 {
		w.opt.Owner = &Owner{os.Getuid(), os.Getgid()}
	}
	return w
}

func (w *world) run(tb testing.TB) (*Result, error) {
	tb.Helper()
	src := Source{Partitions: []Partition{{Data: w.root}}, Config: w.config}
	return New(src, w.state, &w.opt).Convert(tb.Context(), w.acct)
}

func (w *world) convert(tb testing.TB) *Result {
	tb.Helper()
	res, err := w.run(tb)
	if err != nil {
		tb.Fatal(err)
	}
	return res
}

func (w *world) dir(folder string) string {
	if folder == "" {
		return w.acct.Maildir
	}
	return filepath.Join(w.acct.Maildir, "."+folder)
}
