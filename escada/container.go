package escada

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/ictmedia/schoolmail"
)

// Limits of zip archives.
const (
	maxZipFiles = 10_000
	maxZipRatio = 200      // of a file's size to what it takes in the archive
	zipRatioMin = 16 << 20 // size from which the ratio counts
	maxListing  = 1 << 20  // of a manifest or list of checksums
)

// source is a file still to be opened.
type source struct {
	name string
	open func() (fs.File, error)
}

// container collects the files of an export out of a folder, out of zip archives,
// or as they are given.
type container struct {
	layout  *layout
	opts    Options
	errs    Errors
	sources []source
	others  []string // names of files that do not belong to the export
	closers []io.Closer
	// manifest and checksums are what such files say: file name -> text.
	manifest  map[string]string
	checksums map[string]string
}

func (c *container) close() {
	for _, x := range c.closers {
		x.Close()
	}
}

// lockFile recognises what office programs and file managers leave beside files.
func lockFile(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, "~$") || strings.HasPrefix(base, ".") ||
		strings.EqualFold(base, "Thumbs.db") || strings.EqualFold(base, "desktop.ini")
}

// unfinished recognises files that a transfer has not finished.
func unfinished(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".part", ".partial", ".filepart", ".tmp", ".crdownload", ".uploading":
		return true
	}
	return false
}

// add takes a file; chosen says that only files of the profile belong to it.
func (c *container) add(name string, open func() (fs.File, error), chosen bool) {
	switch {
	case chosen && lockFile(name):
	case chosen && unfinished(name):
		c.errs.add(schoolmail.Position{File: name}, ErrNotReady,
			"expected the name without %q, which a transfer gives it at its end",
			path.Ext(name))
	case strings.EqualFold(path.Ext(name), ".zip"):
		c.archive(name, open)
	case matchAny(c.layout.Checksums, name):
		c.listing(name, open, c.readChecksums)
	case c.layout.Manifest != "" && strings.EqualFold(path.Base(name), c.layout.Manifest):
		c.listing(name, open, c.readManifest)
	case !chosen || matchAny(c.layout.Files, name):
		c.sources = append(c.sources, source{name, open})
	default:
		c.others = append(c.others, name)
	}
}

// listing reads a short file whole.
func (c *container) listing(name string, open func() (fs.File, error), use func([]byte)) {
	f, err := open()
	if err != nil {
		c.errs = append(c.errs, &Error{Position: schoolmail.Position{File: name}, Err: err})
		return
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxListing))
	if err != nil {
		c.errs = append(c.errs, &Error{Position: schoolmail.Position{File: name}, Err: err})
		return
	}
	use(bytes.TrimPrefix(text, []byte(utf8BOM)))
}

func (c *container) readChecksums(text []byte) {
	if c.checksums == nil {
		c.checksums = map[string]string{}
	}
	for line := range strings.Lines(string(text)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := hex.DecodeString(sum); ok && err == nil && len(sum) == 2*sha256.Size {
			c.checksums[strings.ToLower(path.Base(strings.TrimLeft(name, " *")))] = strings.ToLower(sum)
		}
	}
}

func (c *container) readManifest(text []byte) {
	c.manifest = map[string]string{}
	r := csv.NewReader(bytes.NewReader(text))
	r.FieldsPerRecord = -1
	for {
		row, err := r.Read()
		if err != nil {
			return
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(row[0]), "file."); ok && len(row) > 1 {
			c.manifest[strings.ToLower(name)+".csv"] = strings.ToLower(strings.TrimSpace(row[1]))
		}
	}
}

// archive takes the files of a zip archive. No name may lead out of it, and sizes
// and ratios are limited; what the archive says of sizes is checked in reading.
func (c *container) archive(name string, open func() (fs.File, error)) {
	pos := schoolmail.Position{File: name}
	r, err := c.openZip(open)
	if err != nil {
		c.errs = append(c.errs, &Error{Position: pos, Kind: ErrContainer, Detail: "no zip archive, or not whole", Err: err})
		return
	}
	if len(r.File) > maxZipFiles {
		c.errs.add(pos, ErrContainer, "more than %d files", maxZipFiles)
		return
	}
	for _, f := range r.File {
		switch {
		case strings.HasSuffix(f.Name, "/"):
		case !fs.ValidPath(f.Name) || strings.Contains(f.Name, `\`):
			c.errs.add(pos, ErrContainer, "a file whose name leads out of the archive")
		case f.Flags&1 != 0:
			c.errs.add(pos, ErrContainer, "its files are encrypted")
			return
		case f.UncompressedSize64 > uint64(c.opts.MaxFileBytes):
			c.errs.add(pos, ErrTooLarge, "a file of more than %d bytes", c.opts.MaxFileBytes)
		case f.UncompressedSize64 > zipRatioMin && f.UncompressedSize64/maxZipRatio > f.CompressedSize64:
			c.errs.add(pos, ErrContainer, "a file that grows to more than %d times its size", maxZipRatio)
		case strings.EqualFold(path.Ext(f.Name), ".zip"): // archives in archives are not opened
			c.others = append(c.others, name+"/"+f.Name)
		case strings.HasPrefix(f.Name, "__MACOSX/"):
		default:
			c.add(name+"/"+f.Name, func() (fs.File, error) { return openZipped(f) }, true)
		}
	}
}

// openZip opens an archive, which stays open until the container is closed.
func (c *container) openZip(open func() (fs.File, error)) (*zip.Reader, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	c.closers = append(c.closers, f)
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	at, ok := f.(io.ReaderAt)
	if !ok {
		data, err := io.ReadAll(io.LimitReader(f, 256<<20))
		if err != nil {
			return nil, err
		}
		return zip.NewReader(bytes.NewReader(data), int64(len(data)))
	}
	return zip.NewReader(at, info.Size())
}

// zipped is a file of an archive.
type zipped struct {
	io.ReadCloser
	info fs.FileInfo
}

func (z *zipped) Stat() (fs.FileInfo, error) { return z.info, nil }

func openZipped(f *zip.File) (fs.File, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	return &zipped{r, f.FileInfo()}, nil
}

// checkManifest compares the files with the manifest and the list of checksums.
func (r *reader) checkManifest(c *container) {
	here := map[string]bool{}
	for _, s := range c.sources {
		here[strings.ToLower(path.Base(s.name))] = true
	}
	for _, name := range c.others {
		here[strings.ToLower(path.Base(name))] = true
	}
	for _, name := range sortedKeys(c.checksums) {
		if !here[name] {
			r.doubt("file " + name + " is missing, which the list of checksums names")
		}
	}
	for _, name := range sortedKeys(c.manifest) {
		switch mode := c.manifest[name]; {
		case mode == "absent":
		case !here[name]:
			r.doubt("file " + name + " is missing, which the manifest names")
		case mode == "delta" && matchAny(r.layout.Files, name):
			r.kind = schoolmail.DeliveryDelta
		}
	}
}

// checkDigest compares a file with its checksum, if there is one.
func (r *reader) checkDigest(name string, digest [sha256.Size]byte) {
	want, ok := r.container.checksums[strings.ToLower(path.Base(name))]
	if ok && want != hex.EncodeToString(digest[:]) {
		r.errs.add(schoolmail.Position{File: name}, ErrDamaged, "its contents are not those of its checksum")
	}
}
