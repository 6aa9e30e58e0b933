package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// Accounts as Cyrus 2.3 to 3.6 keep them, written by the test.
func TestVersions(t *testing.T) {
	t.Parallel()
	for name, l := range layouts {
		for _, skip := range []bool{false, true} {
			t.Run(fmt.Sprint(name, " skiplist ", skip), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				inbox, sub := &fake{validity: 1234567890}, &fake{folder: "Projekte.7b", validity: 99, next: 17}
				inbox.add("Subject: 1\r\n\r\n", `\Seen`, `\Answered`)
				inbox.add("Subject: 2\r\n\r\n", `\Flagged`, `\Draft`, `\Deleted`, "$Label1")
				inbox.add("Subject: 3\r\n\r\n", `\Seen`, "NonJunk", "$Label1")
				inbox.add("Subject: gone\r\n\r\n", `\Seen`)
				inbox.msgs[3].gone = true
				sub.add("Subject: 17\r\n\r\n")
				empty := &fake{folder: "leer", validity: 7}
				for _, b := range []*fake{inbox, sub, empty} {
					b.write(t, w.root, "anna", l)
				}
				seenDB(t, w.config, "anna", skip, inbox)
				res := w.convert(t)
				if len(res.Problems) > 0 || res.Total.Copied != 4 {
					t.Errorf("%+v", res)
				}
				for _, b := range []*fake{inbox, sub, empty} {
					if d := cmp.Diff(b.lines(), readMaildir(t, w.dir(b.folder))); d != "" {
						t.Errorf("(-source +target)\n%s", d)
					}
				}
				// What is read later is followed, also where only the database tells.
				inbox.msgs[1].flags = append(inbox.msgs[1].flags, `\Seen`)
				inbox.msgs[2].flags = inbox.msgs[2].flags[1:]
				inbox.write(t, w.root, "anna", l)
				seenDB(t, w.config, "anna", skip, inbox)
				res = w.convert(t)
				if d := cmp.Diff(inbox.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Flags != 2 {
					t.Errorf("%+v (-source +target)\n%s", res.Total, d)
				}
			})
		}
	}
}

// Without the database nothing is marked as read, and that is said.
func TestSeenUnknown(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, file string){
		"missing": func(*testing.T, string) {},
		"other format": func(t *testing.T, file string) {
			if err := os.WriteFile(file, []byte("\241\002\213\015twoskip file\x00\x00\x00\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			a := &fake{validity: 1}
			a.add("Subject: x\r\n\r\n", `\Seen`)
			a.write(t, w.root, "anna", layouts["2.3"])
			seenDB(t, w.config, "anna", false)
			file := filepath.Join(w.config, "user", "a", "anna.seen")
			os.Remove(file)
			prepare(t, file)
			res := w.convert(t)
			if len(res.Problems) != 1 || res.Problems[0].Kind != ProblemSeen || res.Total.Copied != 1 {
				t.Errorf("%+v", res)
			}
			// The database turns up: nothing is copied again.
			seenDB(t, w.config, "anna", true, a)
			res = w.convert(t)
			if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Copied != 0 || len(res.Problems) != 0 {
				t.Errorf("%+v\n%s", res, d)
			}
		})
	}
}

func problems(r *Result) []string {
	var out []string
	for _, p := range r.Problems {
		out = append(out, fmt.Sprintf("%s %d %s", p.Folder, p.UID, p.Kind))
	}
	slices.Sort(out)
	return out
}

// Messages and files that are not as they should be arrive as they are, or
// are reported with UID and path.
func TestAwkward(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 9}
	a.add("", `\Seen`)
	a.add("no header")
	a.add("Subject: bare\n\nlines\nof LF\r\n")
	a.add("Subject: nul\r\n\r\n\x00\x00\xff\r\n")
	a.add("\n")
	a.add("Subject: no file\r\n\r\n")
	a.add("Subject: size\r\n\r\n")
	a.add("Subject: content\r\n\r\n")
	a.add("Subject: record\r\n\r\n")
	a.add("Subject: big\r\n\r\n" + strings.Repeat("0123456789abcde\n", 40_000))
	a.add("Subject: keyword\r\n\r\n", "bad]one")
	a.msgs[5].noFile = true
	a.msgs[6].badSize = true
	a.write(t, w.root, "anna", layouts["3.6"])
	dir := filepath.Join(w.root, "user", "anna")
	if err := os.WriteFile(filepath.Join(dir, "8."), []byte("Subject: CONTENT\r\n\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "cyrus.index"))
	if err != nil {
		t.Fatal(err)
	}
	index[160+8*112+40] ^= 1
	if err := os.WriteFile(filepath.Join(dir, "cyrus.index"), index, 0o600); err != nil {
		t.Fatal(err)
	}
	bad := &fake{folder: "kaputt", validity: 10}
	bad.add("x")
	bad.write(t, w.root, "anna", layouts["3.6"])
	if err := os.WriteFile(filepath.Join(w.root, "user", "anna", "kaputt", "cyrus.index"), []byte("nothing"),
		0o600); err != nil {
		t.Fatal(err)
	}
	good := &fake{folder: "zuletzt", validity: 11}
	good.add("x")
	good.write(t, w.root, "anna", layouts["3.6"])

	res := w.convert(t)
	want := []string{"INBOX 0 keyword", "INBOX 1 empty", "INBOX 6 missing", "INBOX 7 content", "INBOX 8 content",
		"INBOX 9 record", "kaputt 0 folder"}
	if d := cmp.Diff(want, problems(res)); d != "" {
		t.Error(d)
	}
	for _, p := range res.Problems {
		if p.UID != 0 && !strings.HasPrefix(p.Path, dir) {
			t.Errorf("%+v: no path", p)
		}
	}
	a.msgs[7].text = "Subject: CONTENT\r\n\r\n"
	a.msgs[8].gone = true
	a.msgs[10].flags = nil
	if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Failed != 2 {
		t.Errorf("%+v (-source +target)\n%s", res.Total, d)
	}
	if d := cmp.Diff(good.lines(), readMaildir(t, w.dir("zuletzt"))); d != "" {
		t.Error(d)
	}
	// The file is back from a backup, and the record is mended. Their UIDs
	// were told by UIDNEXT to be taken: they come with new ones.
	a.msgs[5].noFile, a.msgs[8].gone = false, false
	a.write(t, w.root, "anna", layouts["3.6"])
	res = w.convert(t)
	if res.Total.Copied != 2 || res.Total.Renumbered != 2 || res.Total.Removed != 0 {
		t.Errorf("%+v", res.Total)
	}
	if n := len(readMaildir(t, w.dir(""))) - 1; n != len(a.msgs) {
		t.Errorf("%d messages of %d", n, len(a.msgs))
	}
}

// Maildir has letters for 26 keywords of a folder; those the target knows go first.
func TestManyKeywords(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 9}
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("k%02d", i))
		a.add(fmt.Sprintf("Subject: %d\r\n\r\n", i), all[i], all[0])
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	res := w.convert(t)
	if d := cmp.Diff([]string{"INBOX 0 keyword", "INBOX 0 keyword", "INBOX 0 keyword", "INBOX 0 keyword"},
		problems(res)); d != "" {
		t.Error(d)
	}
	got := strings.Join(readMaildir(t, w.dir("")), "\n")
	if res.Total.Copied != 30 || !strings.Contains(got, "k25") || strings.Contains(got, "k26") {
		t.Errorf("%+v\n%s", res.Total, got)
	}
}

// Two source folders of one target: the larger keeps its UIDs, and the other
// is left to IMAP, now and later.
func TestMerged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opt.Folders.Skip = []string{"weg"}
	inbox, a, b, c := &fake{validity: 1}, &fake{folder: "Gesendet", validity: 2}, &fake{folder: "Sent", validity: 3},
		&fake{folder: "weg", validity: 4}
	b.add("Subject: 1\r\n\r\n")
	a.add("Subject: 2\r\n\r\n")
	a.add("Subject: 3\r\n\r\n")
	write := func() {
		for _, f := range []*fake{inbox, a, b, c} {
			f.write(t, w.root, "anna", layouts["3.6"])
		}
	}
	write()
	res := w.convert(t)
	if len(res.LeftBehind) != 2 || res.LeftBehind[0].Source != "Sent" || res.LeftBehind[0].Why != LeftMerged ||
		res.LeftBehind[0].Messages != 1 || res.LeftBehind[1].Why != LeftSkipped {
		t.Fatalf("%+v", res.LeftBehind)
	}
	for range 5 {
		b.add("Subject: more\r\n\r\n")
	}
	write()
	if res = w.convert(t); len(res.LeftBehind) != 2 || res.LeftBehind[0].Source != "Sent" {
		t.Errorf("%+v", res.LeftBehind)
	}
	if d := cmp.Diff(a.lines(), readMaildir(t, w.dir("Sent"))); d != "" {
		t.Error(d)
	}
}

// What cannot be right is refused by a typed error, and nothing is changed.
func TestRefused(t *testing.T) {
	t.Parallel()
	l := layouts["3.6"]
	setup := func(t *testing.T) (*world, *fake) {
		w := newWorld(t)
		a := &fake{validity: 5}
		a.add("Subject: x\r\n\r\n")
		a.write(t, w.root, "anna", l)
		return w, a
	}
	t.Run("UIDVALIDITY of the source", func(t *testing.T) {
		t.Parallel()
		w, a := setup(t)
		w.convert(t)
		a.validity = 6
		a.write(t, w.root, "anna", l)
		before := readMaildir(t, w.dir(""))
		res := w.convert(t)
		if d := cmp.Diff(before, readMaildir(t, w.dir(""))); d != "" || len(res.LeftBehind) != 1 ||
			res.LeftBehind[0].Why != LeftNumbers || len(res.Problems) != 1 {
			t.Errorf("%+v %s", res, d)
		}
	})
	t.Run("UIDVALIDITY of the target", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		cur := filepath.Join(w.dir(""), "cur")
		if err := os.MkdirAll(cur, 0o700); err != nil {
			t.Fatal(err)
		}
		for file, text := range map[string]string{"cur/1.x.y:2,": "x", uidlistName: "3 V77 N2 Gabc\n1 :1.x.y\n"} {
			if err := os.WriteFile(filepath.Join(w.dir(""), file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if res := w.convert(t); len(res.LeftBehind) != 1 || res.LeftBehind[0].Why != LeftNumbers || res.Total.Copied != 0 {
			t.Errorf("%+v", res)
		}
	})
	t.Run("Maildir gone", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		w.convert(t)
		os.RemoveAll(w.acct.Maildir)
		if _, err := w.run(t); !errors.Is(err, ErrTargetNew) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no spool", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		w.convert(t)
		os.RemoveAll(w.root)
		if _, err := w.run(t); !errors.Is(err, ErrSource) {
			t.Errorf("error %v", err)
		}
		os.Mkdir(w.root, 0o700)
		if _, err := w.run(t); !errors.Is(err, ErrSource) {
			t.Errorf("empty: error %v", err)
		}
	})
	t.Run("no such user", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		w.acct.Source = "ann"
		_, err := w.run(t)
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrNoMailbox) || e.Temporary() {
			t.Errorf("error %v", err)
		}
	})
	t.Run("two at a time", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		st, err := openState(w.state, "anna")
		if err != nil {
			t.Fatal(err)
		}
		defer st.close()
		_, err = w.run(t)
		if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, ErrBusy) || !e.Temporary() {
			t.Errorf("error %v", err)
		}
	})
	t.Run("relative Maildir", func(t *testing.T) {
		t.Parallel()
		w, _ := setup(t)
		w.acct.Maildir = "x/Maildir"
		if _, err := w.run(t); err == nil {
			t.Error("taken")
		}
	})
}

// An earlier conversion by Cyrus2Dovecot, whose UIDs are the source's: its
// messages are recognised by UID and content, and followed from then on.
func TestEarlierConversion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 5}
	for i := range 4 {
		a.add(fmt.Sprintf("Subject: %d\r\n\r\n", i), `\Seen`)
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	for _, sub := range maildirSubs {
		if err := os.MkdirAll(filepath.Join(w.dir(""), sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	list := "3 V5 N4\n"
	for i, text := range []string{a.msgs[0].text, "Subject: another\r\n\r\n", a.msgs[2].text} {
		name := fmt.Sprintf("1580000000.R1Q%d.host,S=%d,W=%d", i, len(text), len(text))
		list += fmt.Sprintf("%d :%s\n", i+1, name)
		if err := os.WriteFile(filepath.Join(w.dir(""), "cur", name+":2,S"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(w.dir(""), uidlistName), []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	res := w.convert(t)
	if res.Total.Adopted != 2 || res.Total.Copied != 2 || res.Total.Renumbered != 2 {
		t.Errorf("%+v", res.Total)
	}
	a.msgs[0].flags = nil
	a.msgs[2].gone = true
	a.write(t, w.root, "anna", layouts["3.6"])
	res = w.convert(t)
	if res.Total.Flags != 1 || res.Total.Removed != 1 || res.Total.Copied != 0 || res.Total.Gone != 0 {
		t.Errorf("%+v", res.Total)
	}
	files, _ := filepath.Glob(filepath.Join(w.dir(""), "cur", "*Q0*"))
	if len(files) != 1 || !strings.HasSuffix(files[0], ":2,") {
		t.Errorf("%q", files)
	}
}

// Large deletions, also of whole folders, are held back.
func TestDeletions(t *testing.T) {
	t.Parallel()
	l := layouts["3.6"]
	w := newWorld(t)
	a, b := &fake{validity: 5}, &fake{folder: "A", validity: 6}
	for i := range 30 {
		a.add(fmt.Sprintf("Subject: %d\r\n\r\n", i))
		b.add(fmt.Sprintf("Subject: %d\r\n\r\n", i))
	}
	a.write(t, w.root, "anna", l)
	b.write(t, w.root, "anna", l)
	w.convert(t)
	for i := range a.msgs[:25] {
		a.msgs[i].gone = true
	}
	a.write(t, w.root, "anna", l)
	folder := filepath.Join(w.root, "user", "anna", "A")
	if err := os.Rename(folder, folder+"x"); err != nil {
		t.Fatal(err)
	}
	os.Remove(filepath.Join(folder+"x", "cyrus.index"))
	os.Remove(filepath.Join(folder+"x", "cyrus.header"))
	res := w.convert(t)
	if d := cmp.Diff([]string{"A 0 held back", "INBOX 0 held back"}, problems(res)); d != "" || res.Total.Removed != 0 {
		t.Errorf("%+v %s", res.Total, d)
	}
	w.opt.MaxDeleted = 1
	res = w.convert(t)
	if res.Total.Removed != 55 || len(res.Problems) != 0 {
		t.Errorf("%+v %v", res.Total, res.Problems)
	}
	if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" {
		t.Error(d)
	}
	if files, _ := filepath.Glob(filepath.Join(w.dir("A"), "cur", "*")); len(files) != 0 {
		t.Errorf("%q", files)
	}
	if res = w.convert(t); res.Unchanged != 1 || len(res.Folders) != 0 {
		t.Errorf("%+v", res)
	}
	w.opt.KeepDeleted = true
	a.msgs[26].gone = true
	a.write(t, w.root, "anna", l)
	if res = w.convert(t); res.Total.Removed != 0 {
		t.Errorf("%+v", res.Total)
	}
}

func TestLayoutFS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.opt.Layout = LayoutFS
	for i, f := range []string{"", "A.B", "a^b", "cur", "x.tmp.y"} {
		a := &fake{folder: f, validity: uint32(i + 1)}
		a.add("Subject: x\r\n\r\n")
		a.write(t, w.root, "anna", layouts["3.6"])
	}
	res := w.convert(t)
	if len(res.LeftBehind) != 2 || res.LeftBehind[0].Why != LeftName || res.Total.Copied != 3 {
		t.Fatalf("%+v", res)
	}
	for _, dir := range []string{"", "A/B", "a_b"} {
		readMaildir(t, filepath.Join(w.acct.Maildir, dir))
	}
	if res = w.convert(t); res.Unchanged != 3 {
		t.Errorf("%+v", res)
	}
}

// Marks of special use are known to IMAP; the folder is left to it.
func TestSpecialUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i, f := range []string{"", "Ausgang", "Gesendet"} {
		(&fake{folder: f, validity: uint32(i + 1)}).write(t, w.root, "anna", layouts["3.6"])
	}
	if err := os.MkdirAll(w.config, 0o700); err != nil {
		t.Fatal(err)
	}
	db := "twoskip\x00\x00" + fakeID +
		"Ausgang\x00/specialuse\x00[.OwNeR.]\x00\x00\x00\x00\x05\x00\x00\x00\\Sent\x00text/plain\x00" + fakeID +
		"Gesendet\x00/specialuse\x00anna\x00\x00\x00\x00\x05\\Sent\x00"
	if err := os.WriteFile(filepath.Join(w.config, "annotations.db"), []byte(db), 0o600); err != nil {
		t.Fatal(err)
	}
	res := w.convert(t)
	if len(res.LeftBehind) != 1 || res.LeftBehind[0].Source != "Ausgang" || res.LeftBehind[0].Why != LeftSpecial {
		t.Errorf("%+v", res.LeftBehind)
	}
	if d := cmp.Diff(map[string]migrate.Role{}, scanMarks([]byte("\x00/specialuse\x00"))); d != "" {
		t.Error(d)
	}
}

func TestSubscriptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, want string }{
		"none yet":  {"", "V\t2\n\nA\tB\nINBOX\n"},
		"version 2": {"V\t2\n\nSent\nA\tB\n", "V\t2\n\nSent\nA\tB\nINBOX\n"},
		"before":    {"Sent\nx.y", "Sent\nx.y\nA.B\nINBOX\n"},
		"same":      {"V\t2\n\nINBOX\nA\tB\n", "V\t2\n\nINBOX\nA\tB\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "subscriptions")
			if c.old != "" {
				if err := os.WriteFile(file, []byte(c.old), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := (&disk{}).subscribe(file, [][]string{{"A", "B"}, {"INBOX"}}); err != nil {
				t.Fatal(err)
			}
			if b, err := os.ReadFile(file); err != nil || string(b) != c.want {
				t.Errorf("%q, %v", b, err)
			}
		})
	}
}

// The state is lost: nothing is doubled, and what the user had removed comes
// back, as nobody can tell it from what never arrived. Its UID is its own as
// long as the list has it, and a new one when Dovecot has dropped it.
func TestLostState(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 5}
	for range 4 { // duplicates on purpose
		a.add("Subject: the same\r\n\r\n", `\Seen`)
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	w.convert(t)
	files, _ := filepath.Glob(filepath.Join(w.dir(""), "cur", "*.U2V*"))
	if len(files) != 1 || os.Remove(files[0]) != nil {
		t.Fatalf("%q", files)
	}
	os.RemoveAll(w.state)
	res := w.convert(t)
	if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Adopted != 3 || res.Total.Copied != 1 ||
		res.Total.Renumbered != 0 {
		t.Errorf("%+v %s", res.Total, d)
	}
	if res = w.convert(t); res.Unchanged != 1 {
		t.Errorf("%+v", res)
	}
	file := filepath.Join(w.dir(""), uidlistName)
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(b), "\n")
	if err := os.WriteFile(file, []byte(strings.Join(slices.Delete(lines, 2, 3), "")), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Remove(files[0])
	os.RemoveAll(w.state)
	res = w.convert(t)
	if got := readMaildir(t, w.dir("")); res.Total.Renumbered != 1 || len(got) != 5 || got[4] != "V5 N6" {
		t.Errorf("%+v %q", res.Total, got)
	}
}

// A record that cannot be read is no deletion.
func TestDamagedLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := &fake{validity: 5}
	for i := range 3 {
		a.add(fmt.Sprintf("Subject: %d\r\n\r\n", i))
	}
	a.write(t, w.root, "anna", layouts["3.6"])
	w.convert(t)
	file := filepath.Join(w.root, "user", "anna", "cyrus.index")
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"a bit":   append(append(slices.Clone(whole[:160+112+50]), whole[160+112+50]^1), whole[160+112+51:]...),
		"the end": whole[:len(whole)-50],
	} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		stamp(t, file)
		res := w.convert(t)
		if d := cmp.Diff(a.lines(), readMaildir(t, w.dir(""))); d != "" || res.Total.Removed != 0 ||
			len(res.Problems) != 1 || res.Problems[0].Kind != ProblemRecord {
			t.Errorf("%s: %+v\n%s", name, res, d)
		}
	}
	if err := os.WriteFile(file, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	stamp(t, file)
	if res := w.convert(t); res.Total.Present != 3 || len(res.Problems) != 0 {
		t.Errorf("%+v", res)
	}
}

// A folder that the user has removed at the target is made again for new mail
// alone, and with the letters of its keywords.
func TestFolderRemovedAtTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	inbox, a := &fake{validity: 5}, &fake{folder: "A", validity: 6}
	a.add("Subject: 1\r\n\r\n", "first")
	write := func() {
		inbox.write(t, w.root, "anna", layouts["3.6"])
		a.write(t, w.root, "anna", layouts["3.6"])
	}
	write()
	w.convert(t)
	os.RemoveAll(w.dir("A"))
	a.msgs[0].flags = []string{"first", `\Seen`}
	write()
	if res := w.convert(t); res.Total.Gone != 1 || exists(w.dir("A")) || len(res.Problems) != 0 {
		t.Fatalf("%+v", res)
	}
	a.add("Subject: 2\r\n\r\n", "first", "second")
	write()
	res := w.convert(t)
	want := slices.Delete(a.lines(), 0, 1)
	if d := cmp.Diff(want, readMaildir(t, w.dir("A"))); d != "" || res.Total.Copied != 1 || res.Total.Gone != 1 {
		t.Errorf("%+v\n%s", res, d)
	}
}
