package migrate

import (
	"bufio"
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
	var out []Account
	var errs []error
	seen := map[string]int{}
	add := func(line int, a Account) {
		if a.Name == "" {
			errs = append(errs, fmt.Errorf("migrate: %s:%d: no name", file, line))
			return
		}
		if before := seen[a.Name]; before > 0 {
			errs = append(errs, fmt.Errorf("migrate: %s:%d: %q was on line %d already", file, line, a.Name, before))
			return
		}
		seen[a.Name] = line
		if a.Source.User == "" {
			a.Source.User = a.Name
		}
		if a.Target.User == "" {
			a.Target.User = a.Name
		}
		out = append(out, a)
	}
	comma, isCSV := ',', strings.ContainsAny(first, ",;") || strings.EqualFold(first, "name")
	if !isCSV {
		sc := bufio.NewScanner(strings.NewReader(strings.TrimPrefix(string(raw), "\ufeff")))
		for n := 1; sc.Scan(); n++ {
			if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
				add(n, Account{Name: line})
			}
		}
		return out, errors.Join(append(errs, sc.Err())...)
	}
	if strings.Contains(first, ";") {
		comma = ';'
	}
	c := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(raw), "\ufeff")))
	c.Comma, c.Comment, c.TrimLeadingSpace = comma, '#', true
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("migrate: %s: %w", file, err)
	}
	fields := map[string]func(*Account, string){
		"name":            func(a *Account, v string) { a.Name = v },
		"source":          func(a *Account, v string) { a.Source.User = v },
		"target":          func(a *Account, v string) { a.Target.User = v },
		"source_password": func(a *Account, v string) { a.Source.Password = schoolmail.Secret(v) },
		"target_password": func(a *Account, v string) { a.Target.Password = schoolmail.Secret(v) },
		"source_token":    func(a *Account, v string) { a.Source.Token = schoolmail.Secret(v) },
		"target_token":    func(a *Account, v string) { a.Target.Token = schoolmail.Secret(v) },

		"source_token_file": func(a *Account, v string) { a.Source.TokenFile = v },
		"target_token_file": func(a *Account, v string) { a.Target.TokenFile = v },
	}
	for i, h := range head {
		head[i] = strings.ToLower(strings.TrimSpace(h))
		if fields[head[i]] == nil {
			errs = append(errs, fmt.Errorf("migrate: %s:1: unknown column %q", file, h))
		}
	}
	if !slices.Contains(head, "name") {
		errs = append(errs, fmt.Errorf("migrate: %s:1: no column \"name\"", file))
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for {
		rec, err := c.Read()
		if err == io.EOF {
			return out, errors.Join(errs...)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("migrate: %s: %w", file, err))
			if rec == nil {
				return out, errors.Join(errs...)
			}
			continue
		}
		line, _ := c.FieldPos(0)
		var a Account
		for i, v := range rec {
			fields[head[i]](&a, v)
		}
		add(line, a)
	}
}

// Select makes a wave's accounts of the directory's: those for which keep
// reports true (a school, a role, a class), by user name, sorted. Accounts on
// hold and without a mail address are left out.
func Select(accounts []schoolmail.Account, keep func(schoolmail.Account) bool) []Account {
	var out []Account
	for _, a := range accounts {
		if a.Held || a.Mail == "" || !keep(a) {
			continue
		}
		out = append(out, Account{Name: a.Mail, Source: Login{User: a.Username}, Target: Login{User: a.Mail}})
	}
	slices.SortFunc(out, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return out
}
