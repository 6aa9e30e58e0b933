package books

import (
	"bytes"
	"context"
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/addressbook"
	"github.com/ictmedia/schoolmail/internal/cli"
	"github.com/ictmedia/schoolmail/internal/programtest"
)

var start = programtest.Main(Main).Call

func TestFlags(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for name, tc := range map[string]struct {
		args   []string
		status int
		want   string // in the error output
	}{
		"unknown flag": {[]string{"-x"}, cli.Usage, "-x"},
		"argument":     {[]string{"x"}, cli.Usage, `unexpected argument "x"`},
		"nobody":       {[]string{"-people", "0"}, cli.Usage, "at least one"},
		"no such file": {[]string{"-config", filepath.Join(dir, "none")}, cli.Usage, "none"},
		"unknown name": {[]string{"-config", write("a.toml", "colour = 1\n")}, cli.Usage,
			"a.toml:1:1: colour: unknown key"},
		"no TOML": {[]string{"-config", write("b.toml", "\nrules = \n")}, cli.Usage, "b.toml:2:"},
		"mistakes at once": {[]string{"-config",
			write("c.toml", "[[context]]\nid = 3\nservice_login = 'x'\n[[context]]\nid = 3\n")}, cli.Usage,
			"c.toml:5:1: context[2].id: 3: expected a number above 0 that no other context has"},
		"before there was one file": {[]string{"-config", write("e.toml", "[[ox.contexts]]\nid = 3\n")}, cli.Usage,
			"e.toml:1:3: ox.contexts: is now service_login and service_password in each [[context]]"},
		"no url": {[]string{"-config", write("d.toml", "")}, cli.Usage, "d.toml: ox.http_url: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, stdout, stderr := start(t, tc.args...)
			if status != tc.status || !strings.Contains(stderr, tc.want) {
				t.Errorf("status %d, want %d; %q is missing in\n%s%s", status, tc.status, tc.want, stdout, stderr)
			}
		})
	}
}

// The program against a running sandbox: one context refuses the login, the
// others get their books, and the error says which did not.
func TestOneContextRefusesTheLogin(t *testing.T) {
	t.Parallel()
	p, file := programtest.Populated(t, 60)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	password := regexp.MustCompile(`(?ms)(^id = 21\n.*?\nservice_password = )[^\n]*$`)
	bad := password.ReplaceAll(good, []byte(`${1}"wrong"`))
	if bytes.Equal(bad, good) {
		t.Fatalf("no context 21 in\n%s", good)
	}
	if err := os.WriteFile(file, bad, 0o600); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := start(t, "-config", file, "-apply")
	if status != cli.Failed || !strings.Contains(stdout, "context 10 done: folders +") ||
		!strings.Contains(stdout, "context 21 not finished") ||
		!strings.Contains(stderr, "context 21: read: appsuite: login login: login refused (LGI-0006") {
		t.Errorf("status %d\n%s%s", status, stdout, stderr)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if status, stdout, stderr = start(t, "-config", file, "-apply"); status != cli.Done ||
		!strings.Contains(stdout, "context 21 done: folders +") || stdout == "" {
		t.Errorf("then: status %d\n%s%s", status, stdout, stderr)
	}
	if n := p.OX.OpenSessions(); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
	progress := regexp.MustCompile(`context 21: (\d+) of (\d+)\n`).FindAllStringSubmatch(stderr, -1)
	if len(progress) == 0 || progress[len(progress)-1][1] != progress[len(progress)-1][2] {
		t.Errorf("progress of context 21 does not end at its total:\n%s", stderr)
	}
	// Files need no Open-Xchange.
	before := len(p.OX.HTTPCalls())
	table := filepath.Join(filepath.Dir(file), "books.html")
	if status, stdout, stderr := start(t, "-config", file, "-html", table); status != cli.Done ||
		!strings.Contains(stdout, table) {
		t.Errorf("-html: status %d\n%s%s", status, stdout, stderr)
	}
	if n := len(p.OX.HTTPCalls()) - before; n != 0 {
		t.Errorf("-html made %d calls", n)
	}
}

// What was done is printed also when the program is stopped.
func TestStoppedRunPrintsWhatItDid(t *testing.T) {
	t.Parallel()
	j, err := Open(t.Context(), "", &Options{People: 60})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var once sync.Once
	j.Observer = addressbook.ObserverFunc(func(e addressbook.Event) {
		if e.Stage == addressbook.Working && e.Done > 0 {
			once.Do(cancel)
		}
	})
	var out strings.Builder
	if _, err := j.Run(ctx, &out, true, false); err == nil {
		t.Error("no error")
	}
	if s := out.String(); !strings.Contains(s, "not finished: folders +") || !strings.Contains(s, " requests, ") {
		t.Errorf("output:\n%s", s)
	}
}

// Most people are gone from the directory: nothing is taken away, and the exit
// status says that somebody should look.
func TestHeldBack(t *testing.T) {
	t.Parallel()
	j, err := Open(t.Context(), "", &Options{People: 300})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	var out strings.Builder
	if held, err := j.Run(t.Context(), &out, true, false); err != nil || held {
		t.Fatal(held, err)
	}
	all := j.Accounts
	j.Accounts = nil
	for i, a := range all {
		if i%5 == 0 {
			j.Accounts = append(j.Accounts, a)
		}
	}
	out.Reset()
	held, err := j.Run(t.Context(), &out, true, false)
	if err != nil || !held || !strings.Contains(out.String(), "would vanish") ||
		strings.Contains(out.String(), "hidden 1") {
		t.Errorf("held %v, %v\n%s", held, err, out.String())
	}
	j.Accounts = nil
	if _, err := j.Run(t.Context(), &out, true, false); err == nil ||
		!strings.Contains(err.Error(), "nobody has a place") {
		t.Errorf("without people: %v", err)
	}
}

// Files that name people are for their owner only, also over older ones.
func TestFilesAreReplaced(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "a", "b.csv")
	if err := writeFile(file, []byte("one"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(file, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	info, err2 := os.Stat(file)
	if err != nil || err2 != nil || string(b) != "two" || info.Mode().Perm() != 0o600 {
		t.Errorf("%q %v %v %v", b, info.Mode(), err, err2)
	}
	if left, err := os.ReadDir(filepath.Dir(file)); err != nil || len(left) != 1 {
		t.Errorf("%v %v", left, err)
	}
}

// The CSV of a book shows of pupils name and mail only.
func TestWrittenBooksOfPupils(t *testing.T) {
	t.Parallel()
	j, err := Open(t.Context(), "", &Options{People: 120})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	dir := t.TempDir()
	var out strings.Builder
	if err := j.Write(&out, Outputs{CSV: dir}); err != nil {
		t.Fatal(err)
	}
	pupils := map[string]bool{}
	for _, a := range j.Accounts {
		pupils[a.Mail] = a.Role == schoolmail.RolePupil
	}
	seen := 0
	err = filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".csv") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			return err
		}
		for _, row := range rows[1:] {
			filled := map[string]bool{}
			mail := ""
			for i, cell := range row {
				if cell != "" {
					filled[rows[0][i]] = true
				}
				if rows[0][i] == "Email 1" {
					mail = cell
				}
			}
			if !pupils[mail] {
				continue
			}
			seen++
			for title := range filled {
				switch title {
				case "Display name", "Given name", "Sur name", "Email 1":
				default:
					t.Errorf("%s shows %q of a pupil", path, title)
				}
			}
		}
		return nil
	})
	if err != nil || seen == 0 {
		t.Errorf("%d pupils, %v", seen, err)
	}
}
