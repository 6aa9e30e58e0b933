package migrate

// SetFoldersPerLane lets small accounts have further connections, too.
func (m *Migrator) SetFoldersPerLane(n int) { m.perLane = n }
