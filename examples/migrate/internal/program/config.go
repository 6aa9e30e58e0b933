package program

import (
	"github.com/ictmedia/schoolmail/dovecot/migrate"
	"github.com/ictmedia/schoolmail/site/district"
)

// readConfig reads the section [migrate] of a district file (the servers, the rules, one
// wave), and for the certificate [site].
func (s *settings) readConfig(file string) ([]string, error) {
	c, err := district.Load(file, &district.Options{Program: district.Migrate})
	if err != nil {
		return nil, err
	}
	s.MigrateSection, s.site, s.language = c.Migrate, c.Site.Name, c.Site.ReportLanguage
	return c.Warnings, nil
}

// rules returns the folder rules of the section.
func (s *settings) rules() migrate.FolderRules {
	f := s.Folders
	r := migrate.FolderRules{Map: f.Map, Skip: f.Skip, Only: f.Only, Virtual: f.Virtual, Forbidden: f.Forbidden,
		NoNameTable: f.NoNameTable, Roles: map[migrate.Role]string{}}
	for k, v := range f.Roles {
		r.Roles[migrate.Role(k)] = v
	}
	return r
}

// windows returns when the wave may run.
func (s *settings) windows() []migrate.Window {
	var list []migrate.Window
	for _, w := range s.Windows {
		list = append(list, migrate.Window{Begin: w.Begin, End: w.End})
	}
	return list
}
