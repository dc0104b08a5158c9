# timeout: 2400
export GIT_AUTHOR_DATE='2001-01-01T00:00:00Z' GIT_COMMITTER_DATE='2001-01-01T00:00:00Z'
git config --global user.email a@b; git config --global user.name n; git config --global init.defaultBranch main
git init -q r && cd r && git config gc.auto 0
for d in 1 2 3 4 5 6 7 8; do mkdir d$d; i=0; while [ $i -lt $((250 / SCALE)) ]; do echo "$d $i" >d$d/f$i; i=$((i + 1)); done; done
git add . && git commit -q -m one && git log --format='%H %s' && git ls-files | wc -l
echo x >>d1/f1; git diff --stat; git commit -q -am two; git checkout -q -b side HEAD~1; echo y >>d2/f2; git commit -q -am three; git checkout -q main; git merge -q side -m merged; git log --oneline | wc -l
git gc -q && git fsck && git status --short; git count-objects; ls .git/objects/pack | sed 's/.*\.//' | sort
cd ..; git clone -q r c && git -C c log --format=%H | md5sum; git clone -q --no-local "file://$PWD/r" c2 && diff -r --exclude=.git r c2 && echo same; git clone -q --bare r b.git
cd c; echo z >new; git add new; git commit -q -m four; git push -q ../b.git HEAD:refs/heads/pushed; git -C ../b.git log --oneline pushed | wc -l; git grep -c '^3 100$'; git archive HEAD | tar t | wc -l; git rebase -q HEAD~1; git blame -s new; git rm -qr d1; git status --short | wc -l; git reset -q --hard; ls d1 | wc -l
