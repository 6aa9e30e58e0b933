package site

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/atomicfile"
	"github.com/ictmedia/schoolmail/site/report"
)

// passwords keeps the initial passwords of new accounts. They are on the disk for
// all accounts of a plan before the first one is made, in a file that nobody else
// reads, so that a crash loses none. Once an account is made, and only then, its
// password goes into the list of its school, for the school to hand out: a list
// holds the passwords of accounts that this site has made, and no others.
type passwords struct {
	dir      string // of the lists
	out      *HandOut
	site     string // its name
	language string // of people who have none
	file     string // of what is prepared
	prepared map[string]preparedPassword
}

// preparedPassword is the password of an account that is about to be made.
type preparedPassword struct {
	Username string              `json:"username"`
	Name     string              `json:"name"`
	Classes  string              `json:"classes"`
	School   schoolmail.SchoolID `json:"school"`
	Password string              `json:"password"`
	Mail     string              `json:"mail,omitempty"`
	Language string              `json:"language,omitempty"`
}

var passwordHeader = []string{"username", "name", "classes", "password"}

// What is prepared of new accounts, and of accounts that get another password.
const (
	firstPasswords = "prepared-passwords.json"
	newPasswords   = "prepared-new-passwords.json"
)

func (s *Site) openPasswords(file string) (*passwords, error) {
	p := &passwords{dir: s.PasswordDir(), out: &s.handOut, site: s.name, language: s.language,
		file:     filepath.Join(s.stateDir, file),
		prepared: map[string]preparedPassword{}}
	b, err := os.ReadFile(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	var list []preparedPassword
	if err == nil {
		err = json.Unmarshal(b, &list)
	}
	if err != nil {
		return nil, fmt.Errorf("initial passwords: %s: %w", p.file, err)
	}
	for _, r := range list {
		p.prepared[r.Username] = r
	}
	return p, nil
}

// prepare has a password for every account that the plan creates, the same as
// before for one that an earlier run was to create.
func (p *passwords) prepare(plan *schoolmail.Plan) error {
	changed := false
	for _, s := range plan.Steps {
		c, ok := s.Action.(schoolmail.CreateAccount)
		if !ok {
			continue
		}
		changed = p.prepareOne(&c.Account, s.School) || changed
	}
	if !changed {
		return nil
	}
	return p.save()
}

// prepareOne has a password for an account, for its school to hand out, and reports
// whether that is to be saved.
func (p *passwords) prepareOne(a *schoolmail.Account, school schoolmail.SchoolID) bool {
	var classes []string
	for _, m := range a.Memberships {
		classes = append(classes, m.Classes...)
	}
	r := preparedPassword{a.Username, a.DisplayName, strings.Join(classes, " "), school,
		p.prepared[a.Username].Password, a.Mail, a.Language}
	r.Password = cmp.Or(r.Password, newPassword().Reveal())
	changed := r != p.prepared[a.Username]
	p.prepared[a.Username] = r
	return changed
}

func (p *passwords) save() error {
	names := slices.Sorted(maps.Keys(p.prepared))
	list := make([]preparedPassword, len(names))
	for i, n := range names {
		list[i] = p.prepared[n]
	}
	err := atomicfile.Write(p.file, atomicfile.Private, func(w io.Writer) error { return json.NewEncoder(w).Encode(list) })
	if err != nil {
		return fmt.Errorf("initial passwords: %w", err)
	}
	return nil
}

// publish puts the passwords of accounts that were made into the lists of their
// schools.
func (p *passwords) publish(made func(username string) bool) error {
	add := map[schoolmail.SchoolID][]preparedPassword{}
	for _, n := range slices.Sorted(maps.Keys(p.prepared)) {
		if made(n) {
			r := p.prepared[n]
			add[r.School] = append(add[r.School], r)
		}
	}
	if len(add) == 0 {
		return nil
	}
	if err := os.MkdirAll(p.dir, 0o700); err != nil {
		return fmt.Errorf("initial passwords: %w", err)
	}
	at := map[string]string{} // user name -> list
	for school, rows := range add {
		if err := p.give(school, rows); err != nil {
			return fmt.Errorf("initial passwords: %w", err)
		}
		for _, r := range rows {
			delete(p.prepared, r.Username)
			at[r.Username] = filepath.Join(p.dir, fileName(school))
		}
	}
	// What another school's list has of them opens nothing any more.
	err := p.eachLine(func(file string, line []byte) []byte {
		if now := at[accountOf(line)]; now != "" && now != file {
			return nil
		}
		return line
	})
	if err != nil {
		return fmt.Errorf("initial passwords: %w", err)
	}
	return p.save()
}

// appendPasswords adds to a list, as a whole: after a crash either the old or the
// new one is there. What the list holds is not taken apart, since people open these
// files and save them in other forms; only earlier lines of the same accounts go.
func appendPasswords(file string, rows []preparedPassword) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var out bytes.Buffer
	again := map[string]bool{}
	for _, r := range rows {
		again[r.Username] = true
	}
	var header []string
	if len(old) == 0 {
		header = passwordHeader
	}
	for line := range bytes.Lines(old) {
		if again[accountOf(line)] {
			continue
		}
		out.Write(line)
		if !bytes.HasSuffix(line, []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	if err := writePasswords(&out, header, rows); err != nil {
		return err
	}
	return atomicfile.WriteBytes(file, atomicfile.Private, out.Bytes())
}

// writePasswords writes lines of a list, in which nothing is a formula for a
// spreadsheet.
func writePasswords(out io.Writer, header []string, rows []preparedPassword) error {
	w := csv.NewWriter(out)
	w.Comma = ';'
	if header != nil {
		if err := w.Write(header); err != nil {
			return err
		}
	}
	for _, r := range rows {
		if err := w.Write([]string{r.Username, report.Harmless(r.Name), report.Harmless(r.Classes), r.Password}); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// lists are the lists in the clear.
func (p *passwords) lists() (files []string, err error) {
	all, err := os.ReadDir(p.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, f := range all {
		if f.Type().IsRegular() && filepath.Ext(f.Name()) == ".csv" {
			files = append(files, filepath.Join(p.dir, f.Name()))
		}
	}
	return files, nil
}

// eachLine puts each line of the lists in the clear through f.
func (p *passwords) eachLine(f func(file string, line []byte) []byte) error {
	files, err := p.lists()
	if err != nil {
		return err
	}
	for _, file := range files {
		old, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var out []byte
		for line := range bytes.Lines(old) {
			out = append(out, f(file, line)...)
		}
		if !bytes.Equal(out, old) {
			if err := atomicfile.WriteBytes(file, atomicfile.Private, out); err != nil {
				return err
			}
		}
	}
	return nil
}

// without takes the lines of accounts out of all lists.
func (p *passwords) without(gone func(username string) bool) error {
	err := p.eachLine(func(_ string, line []byte) []byte {
		if gone(accountOf(line)) {
			return nil
		}
		return line
	})
	if err != nil {
		return fmt.Errorf("initial passwords: %w", err)
	}
	if err := p.withoutFiles(gone); err != nil {
		return fmt.Errorf("initial passwords: %w", err)
	}
	return nil
}

// accountOf returns the user name in a line of a list, also of one that was saved
// by a spreadsheet.
func accountOf(line []byte) string {
	end := bytes.IndexAny(line, ";,\t\r\n")
	if end < 0 {
		end = len(line)
	}
	return strings.Trim(string(line[:end]), "\" \ufeff'")
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
	return cmp.Or(name, "no-school") + ".csv"
}

// of answers [schoolmail.ApplyOptions.InitialPassword].
func (p *passwords) of(a schoolmail.Account) (schoolmail.Secret, error) {
	if pw := p.prepared[a.Username].Password; pw != "" {
		return schoolmail.Secret(pw), nil
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
