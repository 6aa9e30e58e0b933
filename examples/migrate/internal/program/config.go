package program

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pelletier/go-toml/v2"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/dovecot/migrate"
)

// Config is a configuration file: the servers, the rules, one wave.
type Config struct {
	From, To string // imap:// or imaps:// with the admin's name
	// Passwords of the admins.
	FromPassword schoolmail.Secret `toml:"from_password"`
	ToPassword   schoolmail.Secret `toml:"to_password"`
	Insecure     bool              // clear text with imap://
	State        string            // directory

	FromConnections    int   `toml:"from_connections"`
	ToConnections      int   `toml:"to_connections"`
	FromBytesPerSecond int64 `toml:"from_bytes_per_second"`

	Wave        string           // name
	Users       string           // file with accounts
	Windows     []migrate.Window `toml:"window"`
	Parallel    int
	CutOver     bool    `toml:"cut_over"`
	KeepDeleted bool    `toml:"keep_deleted"`
	MaxDeleted  float64 `toml:"max_deleted"`

	Folders struct {
		Map         map[string]string
		Roles       map[string]string
		Skip        []string
		Forbidden   string
		NoNameTable bool `toml:"no_name_table"`
	}

	Spool SpoolConfig // for the conversion from disk
}

// ReadConfig reads TOML strictly: an unknown key is a mistake, named with its place.
func ReadConfig(file string, r io.Reader) (*Config, error) {
	var c Config
	d := toml.NewDecoder(r)
	d.DisallowUnknownFields()
	if err := d.Decode(&c); err != nil {
		if e, ok := errors.AsType[*toml.StrictMissingError](err); ok {
			return nil, fmt.Errorf("migrate: %s: unknown key:\n%s", file, e.String())
		}
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			row, col := e.Position()
			return nil, fmt.Errorf("migrate: %s:%d:%d: %w", file, row, col, err)
		}
		return nil, fmt.Errorf("migrate: %s: %w", file, err)
	}
	var errs []error
	var last time.Time
	for i, w := range c.Windows {
		if !w.End.IsZero() && !w.End.After(w.Begin) {
			errs = append(errs, fmt.Errorf("migrate: %s: window %d ends before it begins", file, i+1))
		}
		if w.Begin.Before(last) {
			errs = append(errs, fmt.Errorf("migrate: %s: window %d begins before the one in front of it ends", file, i+1))
		}
		last = w.End
	}
	for role := range c.Folders.Roles {
		if !slices.Contains(migrate.Roles(), migrate.Role(role)) {
			errs = append(errs, fmt.Errorf("migrate: %s: folders.roles: %q is none of %v", file, role, migrate.Roles()))
		}
	}
	return &c, errors.Join(errs...)
}

// Rules returns the folder rules of the file.
func (c *Config) Rules() migrate.FolderRules {
	r := migrate.FolderRules{Map: c.Folders.Map, Skip: c.Folders.Skip, Forbidden: c.Folders.Forbidden, NoNameTable: c.Folders.NoNameTable, Roles: map[migrate.Role]string{}}
	for k, v := range c.Folders.Roles {
		r.Roles[migrate.Role(k)] = v
	}
	return r
}
