package program_test

import (
	"context"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/examples/provision/internal/program"
	"github.com/ictmedia/schoolmail/site/lease"
	"github.com/ictmedia/schoolmail/ucs"
)

// second returns a playground on the same servers with a state folder of its own,
// as on a second machine to which the configuration was copied.
func (s *playground) second(t *testing.T) *playground {
	t.Helper()
	o := &playground{s.Sandbox, t.TempDir()}
	if err := s.WriteDir(o.dir); err != nil {
		t.Fatal(err)
	}
	return o
}

// directory connects to the directory as the program does.
func (s *playground) directory(t *testing.T) *ucs.Client {
	t.Helper()
	c, err := ucs.New(s.LDAP.URL, &ucs.Options{BindDN: s.LDAP.BindDN, Password: s.LDAP.Password, BaseDN: s.LDAP.BaseDN,
		Plaintext: true, Source: s.Policy.Source})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// passwords reads all lists of initial passwords.
func (s *playground) passwords(t *testing.T) map[string]string {
	t.Helper()
	dir := filepath.Join(s.dir, "state", "initial-passwords")
	files, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(strings.NewReader(string(b)))
		r.Comma, r.FieldsPerRecord = ';', -1
		rows, err := r.ReadAll()
		if err != nil {
			t.Fatalf("%s: %v", f.Name(), err)
		}
		for _, row := range rows {
			if len(row) == 4 && row[0] != "username" {
				if all[row[0]] != "" {
					t.Errorf("%s has two passwords", row[0])
				}
				all[row[0]] = row[3]
			}
		}
	}
	return all
}

// Two runs at the same time, from two machines: one works, the other says who does
// and does nothing; everybody's password is in one list and is the one they have.
func TestTwoRunsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, 60)
	both := []*playground{s, s.second(t)}
	day := s.District.Today()
	status, errs := make([]int, 2), make([]string, 2)
	var wg sync.WaitGroup
	for i, p := range both {
		wg.Go(func() { status[i], _, errs[i] = p.run(t, day, "-apply") })
	}
	wg.Wait()
	for i := range both {
		// Whoever comes after the other has ended finds nothing to do, but a journal
		// that knows nothing of the accounts.
		if status[i] != 0 && status[i] != 3 && !strings.Contains(errs[i], "another run is under way") {
			t.Errorf("run %d: status %d: %s", i, status[i], errs[i])
		}
	}
	if !slices.Contains(status, 0) {
		t.Errorf("nobody has done it: %v", status)
	}
	accounts, _ := s.look(t)
	lists := []map[string]string{both[0].passwords(t), both[1].passwords(t)}
	if n := len(lists[0]) + len(lists[1]); n != 60 || len(accounts) != 60 {
		t.Errorf("%d accounts, %d passwords", len(accounts), n)
	}
	for _, a := range accounts {
		for _, list := range lists {
			if pw := list[a.Username]; pw != "" {
				c, err := ucs.New(s.LDAP.URL, &ucs.Options{BindDN: a.DN, Password: schoolmail.Secret(pw), BaseDN: s.LDAP.BaseDN,
					Plaintext: true, Source: s.Policy.Source})
				if err == nil {
					_, err = c.Note(t.Context(), "run")
					_ = c.Close()
				}
				if err != nil && strings.Contains(err.Error(), "credentials") {
					t.Errorf("the password of %s is not the one that it has: %v", a.Username, err)
				}
			}
		}
	}
}

// Who holds the district is said, with how to go on; a person who knows better
// breaks the lease.
func TestHeldDistrict(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	day := s.District.Today()
	dir := s.directory(t)
	const first = `{"program":"provision","host":"ox9","process":4711,"start":"2026-08-10T02:00:00Z","counter":1,` +
		`"nonce":"n"}`
	if ok, err := dir.SwapNote(t.Context(), "run", "", first); err != nil || !ok {
		t.Fatal(ok, err)
	}
	before := s.written()
	ctx, cancel := context.WithCancel(t.Context()) // nobody waits until it is clear whether the holder lives
	defer cancel()
	errs := &watched{word: "the district is held by provision on ox9", then: cancel}
	status := program.Main(ctx, []string{"-config", s.config(), "-now", day.String(), "-any-day", "-apply"}, io.Discard,
		errs)
	if status != 1 || !strings.Contains(errs.String(),
		"another run is under way: provision on ox9, process 4711, since 2026-08-10 02:00:00 UTC") || s.written() != before {
		t.Errorf("status %d: %s", status, errs)
	}
	if status, _, errs := s.run(t, day); status != 0 {
		t.Errorf("only planning needs no lease: status %d: %s", status, errs)
	}
	if status, out, errs := s.run(t, day, "-apply", "-break-lease"); status != 0 {
		t.Errorf("broken: status %d\n%s%s", status, out, errs)
	}
	if seen, err := lease.Look(t.Context(), dir); err != nil || !seen.Free() {
		t.Errorf("after the run: %v %v", seen, err)
	}
}

// watched calls a function when a word was written.
type watched struct {
	mu   sync.Mutex
	text strings.Builder
	word string
	then func()
}

func (w *watched) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(b)
	if strings.Contains(w.text.String(), w.word) {
		w.then()
	}
	return len(b), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// What else lies in the folder of initial passwords, or has become of a list in a
// spreadsheet, stops no run.
func TestStrayFilesBesideThePasswords(t *testing.T) {
	t.Parallel()
	s := start(t, 30)
	dir := filepath.Join(s.dir, "state", "initial-passwords")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var schools []string
	for _, sc := range s.District.Schools() {
		schools = append(schools, string(sc.ID))
	}
	slices.Sort(schools)
	saved := "\ufeffusername\tname\r\n\"broken"
	for _, name := range []string{"old.csv", "x[y].csv", schools[0] + ".csv"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(saved), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if status, out, errs := s.run(t, s.District.Today(), "-apply"); status != 0 {
		t.Fatalf("status %d\n%s%s", status, out, errs)
	}
	b, err := os.ReadFile(filepath.Join(dir, schools[0]+".csv"))
	if err != nil || !strings.HasPrefix(string(b), saved+"\n") || strings.Count(string(b), "\n") < 3 {
		t.Errorf("%q %v", b, err)
	}
}
