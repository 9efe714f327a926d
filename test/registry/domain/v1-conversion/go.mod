module vectors

go 1.21

require (
	github.com/Microsoft/hcsshim v0.9.10
	github.com/containerd/containerd v1.6.24
	github.com/containerd/continuity v0.3.0
	github.com/docker/distribution v2.8.2+incompatible
	github.com/docker/docker v20.10.27+incompatible
	github.com/docker/go-connections v0.4.0
	github.com/docker/go-units v0.5.0
	github.com/moby/locker v1.0.1
	github.com/moby/sys/mount v0.3.3
	github.com/moby/sys/mountinfo v0.6.2
	github.com/opencontainers/go-digest v1.0.0
	github.com/opencontainers/image-spec v1.1.0-rc5
	github.com/opencontainers/runc v1.1.5
	github.com/pkg/errors v0.9.1
	github.com/sirupsen/logrus v1.9.3
	github.com/vbatts/tar-split v0.11.5
	golang.org/x/sys v0.13.0
)

require (
	github.com/coreos/go-systemd/v22 v22.3.2 // indirect
	github.com/godbus/dbus/v5 v5.0.6 // indirect
	github.com/gogo/protobuf v1.3.2 // indirect
	github.com/moby/sys/symlink v0.2.0 // indirect
	github.com/opencontainers/runtime-spec v1.0.3-0.20210326190908-1c3f411f0417 // indirect
	github.com/syndtr/gocapability v0.0.0-20200815063812-42c35b437635 // indirect
	golang.org/x/net v0.8.0 // indirect
)
replace github.com/opencontainers/runc => github.com/opencontainers/runc v1.0.0-rc92
