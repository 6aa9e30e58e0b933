package escadatest

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing/fstest"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/escada"
)

// Export is a set of export files: contents by name. The corruptors change it
// in place; [Export.Clone] makes a copy first.
type Export map[string][]byte

// ExportOptions say how an export is written. The zero value, and nil: the
// default profile, one file "export.csv".
type ExportOptions struct {
	Profile *escada.Profile
	// PerSchool writes a file per school, named after it, with the rows of the school.
	PerSchool bool
}

// Export writes the export of the district. Source and layout are the
// profile's. It fails if the profile's codes or encoding cannot express the
// district's people; the default profile can.
func (d *District) Export(opts *ExportOptions) (Export, error) {
	return NewExport(d.Records(), opts)
}

// NewExport writes an export of any records.
func NewExport(records []schoolmail.Record, opts *ExportOptions) (Export, error) {
	if opts == nil {
		opts = &ExportOptions{}
	}
	files := map[string][]schoolmail.Record{"export.csv": records}
	if opts.PerSchool {
		files = map[string][]schoolmail.Record{}
		for _, r := range records {
			for _, m := range r.Memberships {
				part := r
				part.Memberships = []schoolmail.Membership{m}
				files[string(m.School)+".csv"] = append(files[string(m.School)+".csv"], part)
			}
		}
	}
	e := Export{}
	for name, records := range files {
		var b bytes.Buffer
		if err := escada.Write(&b, records, opts.Profile); err != nil {
			return nil, fmt.Errorf("escadatest: the profile does not fit the records: %w", err)
		}
		e[name] = b.Bytes()
	}
	return e, nil
}

// Names returns the names of the files, sorted.
func (e Export) Names() []string { return slices.Sorted(maps.Keys(e)) }

// Clone returns a copy that shares no memory with e.
func (e Export) Clone() Export {
	c := make(Export, len(e))
	for name, data := range e {
		c[name] = bytes.Clone(data)
	}
	return c
}

// FS returns the export as a file system for [escada.Read].
func (e Export) FS() fstest.MapFS {
	m := fstest.MapFS{}
	for name, data := range e {
		m[name] = &fstest.MapFile{Data: data, Mode: 0o600}
	}
	return m
}

// WriteDir writes the files into the directory, which it creates if need be.
// Other files there stay.
func (e Export) WriteDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, name := range e.Names() {
		if err := os.WriteFile(filepath.Join(dir, name), e[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

func ReadExport(fsys fs.FS) (Export, error) {
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		return nil, err
	}
	e := Export{}
	for _, d := range entries {
		if d.IsDir() {
			continue
		}
		f, err := fsys.Open(d.Name())
		if err != nil {
			return nil, err
		}
		data, err := io.ReadAll(f)
		if err := f.Close(); err != nil {
			return nil, err
		}
		if err != nil {
			return nil, err
		}
		e[d.Name()] = data
	}
	return e, nil
}
