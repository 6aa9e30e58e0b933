package site

import (
	"crypto/rand"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
)

// passwords keeps the initial passwords of new accounts in one file per school,
// readable by the owner only, for the school to hand out. They are written for
// all accounts of a plan before the first one is made: a crash loses none, and
// the next run finds them.
type passwords struct {
	dir   string
	known map[string]schoolmail.Secret // by user name
}

var passwordHeader = []string{"username", "name", "classes", "password"}

func openPasswords(dir string) (*passwords, error) {
	p := &passwords{dir: dir, known: map[string]schoolmail.Secret{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("initial passwords: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.csv"))
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		rows, err := readPasswords(f)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			p.known[r[0]] = schoolmail.Secret(r[3])
		}
	}
	return p, nil
}

func readPasswords(file string) ([][]string, error) {
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("initial passwords: %w", err)
	}
	r := csv.NewReader(strings.NewReader(string(b)))
	r.Comma, r.FieldsPerRecord = ';', len(passwordHeader)
	rows, err := r.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("initial passwords: %s: %w", file, err)
	}
	if len(rows) > 0 {
		rows = rows[1:]
	}
	return rows, nil
}

// prepare writes a password for every account that the plan creates and that
// has none yet.
func (p *passwords) prepare(plan *schoolmail.Plan) error {
	add := map[schoolmail.SchoolID][][]string{}
	for _, s := range plan.Steps {
		c, ok := s.Action.(schoolmail.CreateAccount)
		if !ok || p.known[s.Subject] != "" {
			continue
		}
		a := c.Account
		pw := newPassword()
		p.known[a.Username] = pw
		var classes []string
		for _, m := range a.Memberships {
			classes = append(classes, m.Classes...)
		}
		add[s.School] = append(add[s.School], []string{a.Username, a.DisplayName, strings.Join(classes, " "), pw.Reveal()})
	}
	for school, rows := range add {
		file := filepath.Join(p.dir, fileName(school))
		old, err := readPasswords(file)
		if err != nil {
			return err
		}
		if err := writePasswords(file, append(old, rows...)); err != nil {
			return fmt.Errorf("initial passwords: %w", err)
		}
	}
	return nil
}

// fileName makes a file name of a school; whatever the export says, it stays in
// the folder.
func fileName(s schoolmail.SchoolID) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '_'
	}, string(s))
	if name == "" {
		name = "no-school"
	}
	return name + ".csv"
}

// writePasswords replaces a file as a whole: after a crash either the old or
// the new one is there.
func writePasswords(file string, rows [][]string) error {
	return atomicfile.Write(file, atomicfile.Private, func(out io.Writer) error {
		w := csv.NewWriter(out)
		w.Comma = ';'
		if err := w.Write(passwordHeader); err != nil {
			return err
		}
		return w.WriteAll(rows)
	})
}

// of answers [schoolmail.ApplyOptions.InitialPassword].
func (p *passwords) of(a schoolmail.Account) (schoolmail.Secret, error) {
	if pw := p.known[a.Username]; pw != "" {
		return pw, nil
	}
	return "", fmt.Errorf("no initial password was prepared for %s", a.Username)
}

// newPassword returns 14 characters, without those that look alike on paper,
// from 32 possible ones each (70 bits), in groups.
func newPassword() schoolmail.Secret {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // 32: no l, o, 0, 1
	var raw [14]byte
	rand.Read(raw[:]) // never fails
	var b strings.Builder
	for i, c := range raw {
		if i == 5 || i == 10 {
			b.WriteByte('-')
		}
		b.WriteByte(letters[c%32])
	}
	return schoolmail.Secret(b.String())
}
