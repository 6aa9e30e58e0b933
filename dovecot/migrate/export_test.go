package migrate

// SetFoldersPerLane lets small accounts have further connections, too.
func (m *Migrator) SetFoldersPerLane(n int) { m.perLane = n }

// NewLocalQueue is the queue that a wave has by itself.
func NewLocalQueue(accounts ...string) Queue { return newLocalQueue(accounts) }
