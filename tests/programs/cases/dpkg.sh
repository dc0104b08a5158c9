# timeout: 1200
mkdir -p p/DEBIAN p/usr/bin p/usr/share/doc/hello-sandbox
printf 'Package: hello-sandbox\nVersion: 1.0\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: says hello\n' >p/DEBIAN/control
printf '#!/bin/sh\necho "postinst $1"\n' >p/DEBIAN/postinst
printf '#!/bin/sh\necho hello from a package\n' >p/usr/bin/hello-sandbox
chmod 755 p/DEBIAN/postinst p/usr/bin/hello-sandbox
echo text >p/usr/share/doc/hello-sandbox/readme
dpkg-deb --build -Zxz p hello-sandbox.deb; dpkg-deb -c hello-sandbox.deb | awk '{ print $1, $2, $6 }'
dpkg -i "$PWD/hello-sandbox.deb" 2>&1 | sed 's/([^)]*)//' && hello-sandbox
dpkg -s hello-sandbox | grep Status; dpkg -L hello-sandbox
dpkg -r hello-sandbox 2>&1 | sed 's/([^)]*)//'; command -v hello-sandbox || echo removed
apt-get install -y ./hello-sandbox.deb 2>&1 | grep -v -E '^(Get|Fetched|Reading|Building|Need|After|debconf|N: Download)' | sed 's/([0-9].*)//'
hello-sandbox; apt-get remove -y hello-sandbox 2>&1 | grep -c Removing; dpkg --audit; apt-cache policy bash | head -1
