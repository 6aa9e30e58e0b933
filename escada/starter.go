package escada

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
)

//go:embed profiles/*.toml
var starters embed.FS

// Starters returns the names of the profiles that this package brings along, for
// public formats. Each says in Follows which document it is made after.
func Starters() []string {
	entries, err := starters.ReadDir("profiles")
	if err != nil {
		return nil
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".toml")
	}
	return names
}

// Starter returns a profile of [Starters], to use or to edit.
func Starter(name string) (*Profile, error) {
	text, err := StarterText(name)
	if err != nil {
		return nil, err
	}
	return ParseProfile(text)
}

// StarterText returns a profile of [Starters] as TOML, with its remarks.
func StarterText(name string) ([]byte, error) {
	text, err := starters.ReadFile("profiles/" + name + ".toml")
	if err != nil {
		return nil, Errors{{Kind: ErrProfile, Detail: fmt.Sprintf("no profile %q, expected one of %q", name, Starters())}}
	}
	return text, nil
}

// profileText is a Profile as it stands in TOML.
type profileText struct {
	Profile
	Delimiter string `toml:"delimiter,omitempty"`
}

// ParseProfile reads a profile in TOML, whose keys are the names in the tags of
// [Profile]. Mistakes are Errors of kind ErrProfile, with line and column.
func ParseProfile(text []byte) (*Profile, error) {
	var p profileText
	dec := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return nil, profileErrors(err)
	}
	if p.Delimiter != "" {
		r, n := utf8.DecodeRuneInString(p.Delimiter)
		if n != len(p.Delimiter) {
			return nil, Errors{{Kind: ErrProfile, Detail: "delimiter: expected one character"}}
		}
		p.Profile.Delimiter = r
	}
	if err := p.Validate(); err != nil {
		return nil, err
	}
	return &p.Profile, nil
}

func profileErrors(err error) error {
	var errs Errors
	add := func(d *toml.DecodeError, what string) {
		line, column := d.Position()
		errs.add(schoolmail.Position{}, ErrProfile, "line %d, column %d: %s: %s", line, column, strings.Join(d.Key(), "."),
			what)
	}
	var unknown *toml.StrictMissingError
	var bad *toml.DecodeError
	switch {
	case errors.As(err, &unknown):
		for i := range unknown.Errors {
			add(&unknown.Errors[i], "unknown key")
		}
	case errors.As(err, &bad):
		add(bad, strings.TrimPrefix(bad.Error(), "toml: "))
	default:
		errs.add(schoolmail.Position{}, ErrProfile, "%v", err)
	}
	return errs
}

// TOML returns the profile as [ParseProfile] reads it.
func (p *Profile) TOML() ([]byte, error) {
	x := profileText{Profile: *p}
	if p.Delimiter != 0 {
		x.Delimiter = string(p.Delimiter)
	}
	var b bytes.Buffer
	enc := toml.NewEncoder(&b)
	enc.SetIndentTables(false)
	err := enc.Encode(x)
	return b.Bytes(), err
}
