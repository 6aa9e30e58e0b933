package migrate

import (
	"bufio"
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// ReadAccounts reads a list of accounts: one user name on each line, or CSV
// (separated by comma or semicolon) whose first line names the columns: name, source,
// target, source_password, target_password, source_token, target_token, source_token_file,
// target_token_file. Only name
// is needed; source and target are the user names on each side. Empty lines
// and lines that begin with "#" are left out. All mistakes are reported at once.
func ReadAccounts(file string, r io.Reader) ([]Account, error) {
	raw, err := io.ReadAll(io.LimitReader(r, 64<<20))
	if err != nil {
		return nil, fmt.Errorf("migrate: accounts: %w", err)
	}
	first := ""
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")); line != "" && line[0] != '#' {
			first = line
			break
		}
	}
	l := &accountList{file: file, seen: map[string]int{}}
	text := strings.TrimPrefix(string(raw), "\ufeff")
	if strings.ContainsAny(first, ",;") || strings.EqualFold(first, "name") {
		comma := ','
		if strings.Contains(first, ";") {
			comma = ';'
		}
		return l.csv(text, comma)
	}
	sc := bufio.NewScanner(strings.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
			l.add(n, Account{Name: line})
		}
	}
	return l.out, errors.Join(append(l.errs, sc.Err())...)
}

// accountList is a list that is being read.
type accountList struct {
	file string
	out  []Account
	errs []error
	seen map[string]int // line by name
}

func (l *accountList) mistake(line int, format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf("migrate: %s:%d: %w", l.file, line, fmt.Errorf(format, args...)))
}

func (l *accountList) add(line int, a Account) {
	if a.Name == "" {
		l.mistake(line, "no name")
		return
	}
	if before := l.seen[a.Name]; before > 0 {
		l.mistake(line, "%q was on line %d already", a.Name, before)
		return
	}
	l.seen[a.Name] = line
	a.Source.User = cmp.Or(a.Source.User, a.Name)
	a.Target.User = cmp.Or(a.Target.User, a.Name)
	l.out = append(l.out, a)
}

// accountColumns are the columns of a list in CSV.
var accountColumns = map[string]func(*Account, string){
	"name":              func(a *Account, v string) { a.Name = v },
	"source":            func(a *Account, v string) { a.Source.User = v },
	"target":            func(a *Account, v string) { a.Target.User = v },
	"source_password":   func(a *Account, v string) { a.Source.Password = schoolmail.Secret(v) },
	"target_password":   func(a *Account, v string) { a.Target.Password = schoolmail.Secret(v) },
	"source_token":      func(a *Account, v string) { a.Source.Token = schoolmail.Secret(v) },
	"target_token":      func(a *Account, v string) { a.Target.Token = schoolmail.Secret(v) },
	"source_token_file": func(a *Account, v string) { a.Source.TokenFile = v },
	"target_token_file": func(a *Account, v string) { a.Target.TokenFile = v },
}

func (l *accountList) csv(text string, comma rune) ([]Account, error) {
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.Comment, c.TrimLeadingSpace = comma, '#', true
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: %w", l.file, err)
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(h))
		if accountColumns[head[i]] == nil {
			l.mistake(1, "unknown column %q", h)
		}
	}
	if !slices.Contains(head, "name") {
		l.mistake(1, "no column \"name\"")
	}
	if len(l.errs) > 0 {
		return nil, errors.Join(l.errs...)
	}
	for {
		rec, err := c.Read()
		if err == io.EOF {
			return l.out, errors.Join(l.errs...)
		}
		if err != nil {
			l.errs = append(l.errs, fmt.Errorf("migrate: %s: %w", l.file, err))
			if rec == nil {
				return l.out, errors.Join(l.errs...)
			}
			continue
		}
		line, _ := c.FieldPos(0)
		var a Account
		for i, v := range rec {
			accountColumns[head[i]](&a, v)
		}
		l.add(line, a)
	}
}
